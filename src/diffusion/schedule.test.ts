import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { axpby, ndArray } from '../util/nd-array';
import {
  addNoise,
  createSchedule,
  levelAt,
  type PredictionType,
  predictions,
  predictionTarget,
  stableDiffusionSchedule,
} from './schedule';
import { parseSchedulerConfig } from './scheduler-config';
import { dpmSolverGrid, eulerGrid, lcmGrid, roundHalfEven, timestepGrid } from './timesteps';

const schedule = createSchedule();

const shared = new URL('../../../shared/fixtures/golden_schedulers.json', import.meta.url);
test.skipIf(!existsSync(shared))('tables equal the reference (skipped without ../shared/fixtures)', () => {
  const golden = JSON.parse(readFileSync(shared, 'utf8'));
  for (const [t, value] of Object.entries<number>(golden.alphas_cumprod)) {
    expect(schedule.alphasCumprod[Number(t)]).toBeCloseTo(value, 6);
  }
  for (const [t, value] of Object.entries<number>(golden.betas)) {
    expect(schedule.betas[Number(t)]).toBeCloseTo(value, 8);
  }
  expect(schedule.sigmas[0]).toBeCloseTo(golden.sigma_min_max[0], 6);
  expect(schedule.sigmas[999]).toBeCloseTo(golden.sigma_min_max[1], 4);
  expect(timestepGrid(schedule, 50).slice(0, 5)).toEqual(golden.ddim_sd15_50_first5);
});

/** METHOD.md 1, "Schedule check values". */
test.each([
  [20, 0.99061, 0.1367],
  [50, 0.97549, 0.22005],
  [200, 0.86815, 0.49629],
  [500, 0.52567, 0.85069],
  [800, 0.19201, 0.98139],
  [950, 0.09081, 0.99587],
])('at t = %i alpha is %d and sigma %d', (t, alpha, sigma) => {
  const level = levelAt(schedule, t);
  expect(level.alpha).toBeCloseTo(alpha, 4);
  expect(level.sigma).toBeCloseTo(sigma, 4);
});

test('before the first timestep the level is that of t = 0, or noiseless when the config says so', () => {
  expect(levelAt(schedule, -19)).toEqual(levelAt(schedule, 0));
  const toOne = createSchedule({ ...stableDiffusionSchedule, setAlphaToOne: true });
  expect(levelAt(toOne, -19)).toEqual({ alpha: 1, sigma: 0 });
  expect(levelAt(toOne, 0).sigma).toBeGreaterThan(0);
});

test.each([1000, 0.5, Number.NaN])('timestep %d has no level', (t) => {
  expect(() => levelAt(schedule, t)).toThrow(/timestep/);
});

test.each<PredictionType>(['epsilon', 'v_prediction', 'sample'])(
  'the %s target of a mixture gives back its parts',
  (type) => {
    const x0 = ndArray([0.5, -1, 2], [3]);
    const noise = ndArray([-0.3, 1.2, 0.1], [3]);
    for (const t of [0, 500, 999]) {
      const level = levelAt(schedule, t);
      const x = addNoise(schedule, x0, noise, t);
      const found = predictions(type, predictionTarget(type, x0, noise, level), x, level);
      // at t = 0 noise is 3 % of the mixture, at 999 the clean latent is 7 %: float32 rounding is amplified
      for (const [a, b] of [
        [found.x0, x0],
        [found.eps, noise],
      ] as const) {
        expect(Math.max(...axpby(1, a, -1, b).data.map(Math.abs))).toBeLessThan(1e-5);
      }
    }
  },
);

test('zero terminal SNR leaves the first level and makes the last pure noise', () => {
  const zero = createSchedule({ ...stableDiffusionSchedule, rescaleBetasZeroSnr: true });
  expect(zero.alphasCumprod[0]).toBeCloseTo(schedule.alphasCumprod[0]!, 12);
  expect(zero.alphasCumprod[999]).toBe(0);
  expect(levelAt(zero, 999)).toEqual({ alpha: 0, sigma: 1 });
  expect(zero.sigmas.every(Number.isFinite)).toBe(true);
});

test('betas of a config may be given one by one', () => {
  const betas = [0.1, 0.2, 0.3];
  const given = createSchedule(parseSchedulerConfig({ num_train_timesteps: 3, trained_betas: betas }));
  expect([...given.alphasCumprod]).toEqual([0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7]);
});

describe('scheduler_config.json', () => {
  test("Stable Diffusion's own file is the built-in schedule", () => {
    const sd15 = {
      _class_name: 'PNDMScheduler',
      _diffusers_version: '0.6.0',
      beta_end: 0.012,
      beta_schedule: 'scaled_linear',
      beta_start: 0.00085,
      num_train_timesteps: 1000,
      set_alpha_to_one: false,
      skip_prk_steps: true,
      steps_offset: 1,
      trained_betas: null,
      clip_sample: false,
    };
    expect(parseSchedulerConfig(sd15)).toEqual(stableDiffusionSchedule);
  });

  test.each([
    ['DDIMScheduler', 'leading', true, 'linear'],
    ['PNDMScheduler', 'leading', false, 'linear'],
    ['LCMScheduler', 'leading', true, 'scaled_linear'],
    ['EulerDiscreteScheduler', 'linspace', true, 'linear'],
    ['EulerAncestralDiscreteScheduler', 'linspace', true, 'linear'],
    ['DPMSolverMultistepScheduler', 'linspace', true, 'linear'],
  ])("missing keys mean %s's defaults", (className, spacing, toOne, betas) => {
    const config = parseSchedulerConfig({ _class_name: className });
    expect(config.timestepSpacing).toBe(spacing);
    expect(config.setAlphaToOne).toBe(toOne);
    expect(config.betaSchedule).toBe(betas);
    expect(config.predictionType).toBe('epsilon');
    expect(config.stepsOffset).toBe(0);
  });

  test.each([
    ['prediction_type', 'flow_prediction'],
    ['beta_schedule', 'sigmoid'],
    ['timestep_spacing', 'karras'],
    ['num_train_timesteps', 1e9],
    ['beta_start', '0.1'],
    ['trained_betas', [0.1]],
    ['_class_name', 'FlowMatchEulerDiscreteScheduler'],
  ])('%s = %j is refused by name', (key, value) => {
    expect(() => parseSchedulerConfig({ [key]: value })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_MODEL', message: expect.stringContaining(key) }),
    );
  });

  test.each([null, [], 'text'])('%j is not a config', (json) => {
    expect(() => parseSchedulerConfig(json)).toThrow(/not a JSON object/);
  });
});

describe('time grids', () => {
  const spaced = (timestepSpacing: 'leading' | 'trailing' | 'linspace', stepsOffset = 0) =>
    createSchedule({ ...stableDiffusionSchedule, timestepSpacing, stepsOffset });

  test('halves round to even', () => {
    expect([0.5, 1.5, 2.5, 2.4999, 2.5001].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3]);
  });

  test('a single step starts from pure noise where spacing allows', () => {
    expect(timestepGrid(spaced('trailing'), 1)).toEqual([999]);
    expect(timestepGrid(spaced('linspace'), 1)).toEqual([999]);
    expect(timestepGrid(spaced('leading', 1), 1)).toEqual([1]);
    expect(dpmSolverGrid(spaced('leading', 1), 1)).toEqual([501]);
  });

  test('linspace keeps fractions for Euler only', () => {
    expect(eulerGrid(spaced('linspace'), 3)).toEqual([999, 499.5, 0]);
    expect(timestepGrid(spaced('linspace'), 3)).toEqual([999, 500, 0]);
  });

  test.each(['leading', 'trailing', 'linspace'] as const)(
    '%s grids descend inside the schedule',
    (spacing) => {
      for (const grid of [timestepGrid, dpmSolverGrid, eulerGrid]) {
        for (const n of [1, 2, 3, 7, 50, 999, 1000]) {
          const timesteps = grid(spaced(spacing, spacing === 'leading' ? 1 : 0), n);
          expect(timesteps).toHaveLength(n);
          expect(timesteps[0]).toBeLessThanOrEqual(999);
          expect(timesteps.at(-1)).toBeGreaterThanOrEqual(0);
          expect(timesteps.every((t, i) => i === 0 || t <= timesteps[i - 1]!)).toBe(true);
        }
      }
    },
  );

  test.each([0, -1, 1.5, 1001, Number.NaN])('%d steps are refused', (n) => {
    for (const grid of [timestepGrid, dpmSolverGrid, eulerGrid, lcmGrid]) {
      expect(() => grid(schedule, n)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    }
  });
});
