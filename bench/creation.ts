import { loadOrtNode } from '../src/runtime/ort-node';
import { withBrowser } from '../tools/harness/browser';
import { type Bench, type Contender, type Measurement, takeTurns } from './measure';
import { createBench, inBrowser } from './programs';

/**
 * From a built graph to a runnable program, runtime started and weights in memory; against one run of the same network
 * with two rows, of which a step of an edit takes two. Of WebGPU on the software adapter only the creation says anything,
 * and is held against that of WASM.
 */
export const creation: Bench = async () => {
  const node = createBench(loadOrtNode);
  return withBrowser(async (browser) => {
    const one = { unet: 'starter', batch: 1 } as const;
    const two = { unet: 'starter', batch: 2 } as const;
    const creating =
      (backend: 'wasm' | 'webgpu'): Contender =>
      () =>
        // no runs: the time to create it
        inBrowser(browser, { ...one, backend })(0);
    const times = await takeTurns(
      {
        nodeMade: async () => [await node.create({ ...one, backend: 'node' })],
        nodeRun: (runs) => node.time({ ...two, backend: 'node' }, runs),
        wasmMade: creating('wasm'),
        wasmRun: inBrowser(browser, { ...two, backend: 'wasm' }),
        gpuMade: creating('webgpu'),
      },
      { turns: 7, runs: 2 },
    );
    const { nodeMade, nodeRun, wasmMade, wasmRun, gpuMade } = times;
    const made = (backend: string, value: number): Measurement => ({
      name: `starter UNet, ${backend}`,
      value,
      unit: 'ms',
    });
    const against = (name: string, value: number): Measurement => ({ name, value, unit: '×' });
    return [
      made('node', nodeMade),
      against('node: creation ÷ a run of 2 rows', nodeMade / nodeRun),
      made('wasm', wasmMade),
      against('wasm: creation ÷ a run of 2 rows', wasmMade / wasmRun),
      made('webgpu', gpuMade),
      against('creation, webgpu ÷ wasm', gpuMade / wasmMade),
    ];
  });
};
