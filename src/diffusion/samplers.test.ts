import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type NdArray, ndArray, scale } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { noisePredictor } from './guidance';
import { invertDdim } from './invert';
import {
  initialScale,
  lcmScalings,
  type SamplerName,
  type SamplerOptions,
  type SamplerStep,
  samplers,
} from './samplers';
import { createSchedule, type Schedule, stableDiffusionSchedule } from './schedule';
import { parseSchedulerConfig } from './scheduler-config';
import { lcmGrid } from './timesteps';

const linspace = (from: number, to: number, n: number): NdArray =>
  ndArray(
    Array.from({ length: n }, (_, i) => from + ((to - from) * i) / (n - 1)),
    [1, 1, 1, n],
  );
/** The toy network of the goldens. */
const network = async (x: NdArray, t: number): Promise<NdArray> => ({
  data: x.data.map((v) => 0.3 * v + 0.1 * Math.sin(t / 100)),
  shape: x.shape,
});

async function finish(generator: AsyncGenerator<SamplerStep, NdArray>) {
  const timesteps: number[] = [];
  for (;;) {
    const { done, value } = await generator.next();
    if (done) return { timesteps, x: value };
    timesteps.push(value.timestep);
  }
}

const run = (name: SamplerName, schedule: Schedule, options: SamplerOptions, n: number) =>
  finish(
    samplers[name](
      network,
      scale(initialScale(name, schedule, options.steps), linspace(-1.5, 1.5, n)),
      schedule,
      options,
    ),
  );

function expectClose(actual: NdArray, expected: readonly number[]): void {
  expect(actual.data).toHaveLength(expected.length);
  expect(Math.max(...expected.map((v, i) => Math.abs(v - actual.data[i]!)))).toBeLessThan(1e-4);
}

const shared = new URL('../../../shared/fixtures/golden_schedulers.json', import.meta.url);
describe.skipIf(!existsSync(shared))(
  'Stable Diffusion trajectories (skipped without ../shared/fixtures)',
  () => {
    const golden = existsSync(shared) ? JSON.parse(readFileSync(shared, 'utf8')) : {};
    const sd = (changes = {}) => createSchedule({ ...stableDiffusionSchedule, ...changes });
    const trailing = { timestepSpacing: 'trailing', stepsOffset: 0 };
    const cases: [string, SamplerName, number, object][] = [
      ['ddim_10_leading_off1', 'ddim', 10, {}],
      ['ddim_10_leading_off1_vpred', 'ddim', 10, { predictionType: 'v_prediction' }],
      ['ddim_10_trailing', 'ddim', 10, trailing],
      ['pndm_10_skip_prk', 'pndm', 10, {}],
      ['euler_10_leading_off1', 'euler', 10, {}],
      ['euler_trailing_1_turbo', 'euler', 1, trailing],
      ['euler_trailing_4_turbo', 'euler', 4, trailing],
      ['dpmpp2m_10_leading_off1', 'dpm-solver', 10, {}],
      ['dpmpp2m_20_linspace', 'dpm-solver', 20, { timestepSpacing: 'linspace', stepsOffset: 0 }],
      ['dpmpp2m_10_karras', 'dpm-solver', 10, { useKarrasSigmas: true }],
    ];
    test.each(cases)('%s', async (key, name, steps, changes) => {
      const { timesteps, x } = await run(name, sd(changes), { steps }, 8);
      expect(timesteps).toEqual(golden[key].timesteps);
      expectClose(x, golden[key].x0);
    });

    test('ddim_inverse_10', async () => {
      const { timesteps, x } = await finish(invertDdim(network, linspace(-1, 1, 8), sd(), { steps: 10 }));
      expect(timesteps).toEqual(golden.ddim_inverse_10.timesteps);
      expectClose(x, golden.ddim_inverse_10.xT);
    });

    test.each([1, 2, 4, 8])('lcm_%i_timesteps', (n) => {
      expect(lcmGrid(sd(), n)).toEqual(golden[`lcm_${n}_timesteps`]);
    });

    test('lcm_scalings', () => {
      for (const [t, [skip, out]] of Object.entries<[number, number]>(golden.lcm_scalings)) {
        expect(lcmScalings(Number(t)).skip).toBeCloseTo(skip, 12);
        expect(lcmScalings(Number(t)).out).toBeCloseTo(out, 12);
      }
    });

    test('every golden entry has a test (schedule.test.ts covers the tables)', () => {
      const tables = ['alphas_cumprod', 'betas', 'sigma_min_max', 'toy_model', 'ddim_sd15_50_first5'];
      const lcm = [1, 2, 4, 8].map((n) => `lcm_${n}_timesteps`);
      const covered = [...tables, ...cases.map(([key]) => key), 'ddim_inverse_10', ...lcm, 'lcm_scalings'];
      expect(covered.sort()).toEqual(Object.keys(golden).sort());
    });
  },
);

interface Golden {
  sampler: SamplerName;
  config: Record<string, unknown>;
  eta: number;
  steps: number;
  timesteps: number[];
  x: number[];
}
const golden: { cases: Golden[]; inversions: Golden[] } = JSON.parse(
  readFileSync(new URL('./golden/schedulers.json', import.meta.url), 'utf8'),
);

describe('other configs, spacings and noise', () => {
  const named = golden.cases.map((c) => {
    const { beta_schedule, timestep_spacing, prediction_type } = c.config;
    return [c.sampler, c.steps, c.eta, beta_schedule, timestep_spacing, prediction_type, c] as const;
  });
  test.each(named)(
    '%s, %i steps, eta %d, %s, %s, %s',
    async (name, steps, eta, _b, _s, _p, { config, ...c }) => {
      const schedule = createSchedule(parseSchedulerConfig(config));
      const { timesteps, x } = await run(name, schedule, { steps, eta, rng: createTorchRng(0) }, 20);
      expect(timesteps).toEqual(c.timesteps);
      expectClose(x, c.x);
    },
  );

  test.each(golden.inversions)('inversion, $config.prediction_type, $config.timestep_spacing', async (c) => {
    const schedule = createSchedule(parseSchedulerConfig(c.config));
    const { x } = await finish(invertDdim(network, linspace(-1, 1, 20), schedule, { steps: c.steps }));
    expectClose(x, c.x);
  });
});

describe('the walk', () => {
  const schedule = createSchedule();
  const x = linspace(-1, 1, 20);

  test.each(Object.keys(samplers) as SamplerName[])(
    '%s arrives where a perfect network points',
    async (name) => {
      const clean = linspace(0.5, -0.5, 20);
      const perfect = async (noisy: NdArray, t: number): Promise<NdArray> => {
        const alpha = Math.sqrt(schedule.alphasCumprod[t]!);
        const sigma = Math.sqrt(1 - alpha ** 2);
        return { data: noisy.data.map((v, i) => (v - alpha * clean.data[i]!) / sigma), shape: noisy.shape };
      };
      const steps = samplers[name](perfect, x, schedule, { steps: 10, rng: createTorchRng(1) });
      const { x: end } = await finish(steps);
      // DDIM and PNDM end at the level of t = 0, whose noise is sqrt(1 − ᾱ₀) = 0.029 in size
      const rest = name === 'ddim' || name === 'pndm' ? 0.05 : 1e-3;
      expect(Math.max(...end.data.map((v, i) => Math.abs(v - clean.data[i]!)))).toBeLessThan(rest);
    },
  );

  test('DDIM runs back to where its inversion came from', async () => {
    const { x: noise } = await finish(invertDdim(network, x, schedule, { steps: 200 }));
    const { x: back } = await finish(samplers.ddim(network, noise, schedule, { steps: 200 }));
    expect(Math.max(...back.data.map((v, i) => Math.abs(v - x.data[i]!)))).toBeLessThan(0.02);
  });

  test('a network of type v and its ε̂ give the same walk', async () => {
    const v = createSchedule({ ...stableDiffusionSchedule, predictionType: 'v_prediction' });
    const context = linspace(0, 1, 2);
    const predict = noisePredictor((latent, t: number) => network(latent, t), v);
    const eps = (latent: NdArray, t: number) => predict(latent, t, context);
    for (const name of ['ddim', 'pndm'] as const) {
      const [direct, converted] = [
        await finish(samplers[name](network, x, v, { steps: 9 })),
        await finish(samplers[name](eps, x, v, { steps: 9, predictionType: 'epsilon' })),
      ];
      expectClose(converted.x, [...direct.x.data]);
    }
  });

  test('a caller may stop after any step', async () => {
    let calls = 0;
    const counted = (latent: NdArray, t: number) => {
      calls++;
      return network(latent, t);
    };
    for await (const { index, total } of samplers.ddim(counted, x, schedule, { steps: 50 })) {
      expect(total).toBe(50);
      if (index === 2) break;
    }
    expect(calls).toBe(3);
  });

  test('the latent that was passed in is left alone', async () => {
    const before = x.data.slice();
    for (const name of Object.keys(samplers) as SamplerName[]) {
      await finish(samplers[name](network, x, schedule, { steps: 3, rng: createTorchRng(0) }));
    }
    expect(x.data).toEqual(before);
  });
});
