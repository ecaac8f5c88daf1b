import { loadOrtNode } from '../src/runtime/ort-node';
import { withBrowser } from '../tools/harness/browser';
import { type Bench, type Contender, type Measurement, takeTurns } from './measure';
import { createBench, inBrowser, type ProgramSpec } from './programs';

/** What feeding weights on every run costs against constants, and what the way that ships costs. */
export const weightsAsInputs: Bench = async () => {
  const node = createBench(loadOrtNode);
  return withBrowser(async (browser) => {
    const contender = (spec: ProgramSpec): Contender =>
      spec.backend === 'node' ? (runs) => node.time(spec, runs) : inBrowser(browser, spec);
    const measurements: Measurement[] = [];
    for (const backend of ['node', 'wasm', 'webgpu'] as const) {
      const spec = { backend, unet: backend === 'webgpu' ? 'tiny' : 'starter', batch: 1 } as const;
      const turns = backend === 'webgpu' ? { turns: 6, runs: 2 } : {};
      const contenders = {
        inputs: contender({ ...spec, weights: 'inputs' }),
        constants: contender({ ...spec, weights: 'constants' }),
      };
      // WebGPU ships with weights as inputs; measuring the same program twice would only add noise
      const { inputs, constants, shipped } =
        backend === 'webgpu'
          ? await takeTurns(contenders, turns).then((times) => ({ ...times, shipped: times.inputs }))
          : await takeTurns({ ...contenders, shipped: contender(spec) }, turns);
      const note = `${spec.unet} UNet`;
      measurements.push(
        { name: `${backend}: weights as inputs ÷ as constants`, value: inputs / constants, unit: '×', note },
        {
          name: `${backend}: as shipped ÷ as constants`,
          value: shipped / constants,
          unit: '×',
          target: 1.1,
          note,
        },
      );
    }
    return measurements;
  });
};
