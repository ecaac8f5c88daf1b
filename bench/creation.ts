import { loadOrtNode } from '../src/runtime/ort-node';
import { withBrowser } from '../tools/harness/browser';
import { type Bench, median } from './measure';
import { createBench, inBrowser } from './programs';

/** From a built graph to a runnable program, runtime started and weights in memory. */
export const creation: Bench = async () => {
  const node = createBench(loadOrtNode);
  return withBrowser(async (browser) => {
    const spec = { unet: 'starter', batch: 1 } as const;
    const repeat = async (once: () => Promise<number>): Promise<number> => {
      const times: number[] = [];
      for (let i = 0; i < 6; i++) times.push(await once());
      return median(times.slice(1));
    };
    const inside = (backend: 'wasm' | 'webgpu') => async () =>
      (await inBrowser(browser, { ...spec, backend })(0))[0]!;
    return [
      {
        name: 'starter UNet, node',
        value: await repeat(() => node.create({ ...spec, backend: 'node' })),
        unit: 'ms',
      },
      { name: 'starter UNet, wasm', value: await repeat(inside('wasm')), unit: 'ms' },
      { name: 'starter UNet, webgpu', value: await repeat(inside('webgpu')), unit: 'ms' },
    ];
  });
};
