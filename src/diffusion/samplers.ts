import { assert } from '../util/errors';
import { axpby, type NdArray, ndArray, zip } from '../util/nd-array';
import type { TorchRng } from '../util/random';
import {
  ddimCoefficients,
  levelAt,
  levelOfSigma,
  mix,
  type PredictionType,
  predictions,
  type Schedule,
} from './schedule';
import { dpmSolverGrid, eulerGrid, karrasGrid, lcmGrid, sigmaAt, timestepGrid } from './timesteps';

/** The network (with guidance, if any): latent [B,C,h,w] at timestep t → its output. */
export type Denoise = (x: NdArray, t: number) => Promise<NdArray>;

export interface SamplerOptions {
  readonly steps: number;
  /** DDIM only: 0 is deterministic, 1 as noisy as DDPM */
  readonly eta?: number;
  /** required by samplers that add noise: DDIM with eta > 0, Euler ancestral, LCM with several steps */
  readonly rng?: TorchRng;
  /** what `denoise` returns: the schedule's own type unless it was turned into ε̂ before (`noisePredictor`) */
  readonly predictionType?: PredictionType;
}

export interface SamplerStep {
  /** network calls done before this one */
  readonly index: number;
  /** network calls in all */
  readonly total: number;
  readonly timestep: number;
  /** latent after the step */
  readonly x: NdArray;
  /** the network's estimate of the clean latent, for previews */
  readonly denoised: NdArray;
}

/**
 * A sampler walks a latent from noise to a clean one and yields after every network call, so that the caller may
 * stop, preview or blend between steps. Latents are alpha·x0 + sigma·ε with alpha² + sigma² = 1 throughout, also in
 * Euler's (whose usual form x0 + σ·ε is this divided by alpha): one form for previews, inversion and masks.
 *
 * @param x  latent at the first timestep's level; from scratch: unit noise × `initialScale`
 */
export type Sampler = (
  denoise: Denoise,
  x: NdArray,
  schedule: Schedule,
  options: SamplerOptions,
) => AsyncGenerator<SamplerStep, NdArray>;

/** @see Song et al. 2021, "Denoising Diffusion Implicit Models", arXiv:2010.02502, eq. (12), (16) */
const ddim: Sampler = async function* (
  denoise,
  x,
  schedule,
  { steps, eta = 0, rng, predictionType = schedule.predictionType },
) {
  for (const [index, t] of timestepGrid(schedule, steps).entries()) {
    const { x0, eps } = predictions(predictionType, await denoise(x, t), x, levelAt(schedule, t));
    x = ddimStep(schedule, { x0, eps }, t, { steps, eta, ...(rng && { rng }) });
    yield { index, total: steps, timestep: t, x, denoised: x0 };
  }
  return x;
};

/**
 * From the estimates at timestep t to the latent one step of the grid below, alpha'·x0 + √(sigma'² − s²)·ε̂ + s·ε with
 * s = eta·(sigma'/sigma)·√(1 − alpha²/alpha'²).
 */
export function ddimStep(
  schedule: Schedule,
  { x0, eps }: { readonly x0: NdArray; readonly eps: NdArray },
  t: number,
  { steps, eta = 0, rng }: Pick<SamplerOptions, 'steps' | 'eta' | 'rng'>,
): NdArray {
  const stride = Math.floor(schedule.numTrainTimesteps / steps);
  const [here, next] = [levelAt(schedule, t), levelAt(schedule, t - stride)];
  const fresh = eta * (next.sigma / here.sigma) * Math.sqrt(1 - (here.alpha / next.alpha) ** 2);
  const x = mix({ alpha: next.alpha, sigma: Math.sqrt(next.sigma ** 2 - fresh ** 2) }, x0, eps);
  return fresh > 0 ? axpby(1, x, fresh, noiseLike(x, rng)) : x;
}

/**
 * Euler's method on dx/dσ = ε̂, of σ and x0 + σ·ε. In our form it keeps x0 and ε̂ and mixes them anew.
 * @see Karras et al. 2022, arXiv:2206.00364, alg. 1 without its second-order correction
 */
const euler: Sampler = async function* (
  denoise,
  x,
  schedule,
  { steps, predictionType = schedule.predictionType },
) {
  const { timesteps, sigmas } = eulerSigmas(schedule, steps);
  for (const [index, t] of timesteps.entries()) {
    const here = levelOfSigma(sigmas[index]!);
    const { x0, eps } = predictions(predictionType, await denoise(x, t), x, here);
    x = mix(levelOfSigma(sigmas[index + 1]!), x0, eps);
    yield { index, total: steps, timestep: t, x, denoised: x0 };
  }
  return x;
};

/** Euler steps to a lower σ than the next, the difference filled with fresh noise (k-diffusion). */
const eulerAncestral: Sampler = async function* (
  denoise,
  x,
  schedule,
  { steps, rng, predictionType = schedule.predictionType },
) {
  const { timesteps, sigmas } = eulerSigmas(schedule, steps);
  for (const [index, t] of timesteps.entries()) {
    const [from, to] = [sigmas[index]!, sigmas[index + 1]!];
    const { x0, eps } = predictions(predictionType, await denoise(x, t), x, levelOfSigma(from));
    const up = (to / from) * Math.sqrt(from ** 2 - to ** 2);
    const { alpha } = levelOfSigma(to);
    x = mix({ alpha, sigma: alpha * Math.sqrt(to ** 2 - up ** 2) }, x0, eps);
    if (up > 0) x = axpby(1, x, alpha * up, noiseLike(x, rng));
    yield { index, total: steps, timestep: t, x, denoised: x0 };
  }
  return x;
};

/**
 * DPM-Solver++(2M): second order from the clean estimates of two steps; first and last step are first order.
 * @see Lu et al. 2022, "DPM-Solver++", arXiv:2211.01095, alg. 2
 */
const dpmSolver: Sampler = async function* (
  denoise,
  x,
  schedule,
  { steps, predictionType = schedule.predictionType },
) {
  const { timesteps, sigmas } = dpmSigmas(schedule, steps);
  const lambda = (i: number) => -Math.log(sigmas[i]!);
  let previous: NdArray | null = null;
  for (const [index, t] of timesteps.entries()) {
    const [here, next] = [levelOfSigma(sigmas[index]!), levelOfSigma(sigmas[index + 1]!)];
    const { x0 } = predictions(predictionType, await denoise(x, t), x, here);
    const h = lambda(index + 1) - lambda(index);
    let estimate = x0;
    if (previous && index < steps - 1) {
      const half = h / (lambda(index) - lambda(index - 1)) / 2;
      estimate = axpby(1 + half, x0, -half, previous);
    }
    x = axpby(next.sigma / here.sigma, x, -next.alpha * Math.expm1(-h), estimate);
    previous = x0;
    yield { index, total: steps, timestep: t, x, denoised: x0 };
  }
  return x;
};

/**
 * PNDM without Runge–Kutta warm-up (PLMS): Adams–Bashforth on ε̂. The second timestep is visited twice, the first time
 * to refine the first step, so there is one network call more than steps. Other outputs are turned into ε̂ before they
 * are combined (diffusers combines v as it is).
 * @see Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds", arXiv:2202.09778, eq. (11), (12)
 */
const pndm: Sampler = async function* (
  denoise,
  x,
  schedule,
  { steps, predictionType = schedule.predictionType },
) {
  const grid = timestepGrid(schedule, steps);
  const timesteps = [grid[0]!, ...grid.slice(1, 2), ...grid.slice(1)];
  const stride = Math.floor(schedule.numTrainTimesteps / steps);
  const start = x;
  const history: NdArray[] = [];
  for (const [index, t] of timesteps.entries()) {
    const { x0, eps } = predictions(predictionType, await denoise(x, t), x, levelAt(schedule, t));
    if (index === 1) {
      x = transfer(
        schedule,
        start,
        zip((a, b) => (a + b) / 2, eps, history[0]!),
        t + stride,
        t,
      );
    } else {
      history.unshift(eps);
      x = transfer(schedule, x, adamsBashforth(history), t, t - stride);
    }
    yield { index, total: timesteps.length, timestep: t, x, denoised: x0 };
  }
  return x;
};

function adamsBashforth(history: readonly NdArray[]): NdArray {
  const [e0, e1, e2, e3] = history as [NdArray, NdArray, NdArray, NdArray];
  if (history.length === 1) return e0;
  if (history.length === 2) return zip((a, b) => (3 * a - b) / 2, e0, e1);
  if (history.length === 3) return zip((a, b, c) => (23 * a - 16 * b + 5 * c) / 12, e0, e1, e2);
  return zip((a, b, c, d) => (55 * a - 59 * b + 37 * c - 9 * d) / 24, e0, e1, e2, e3);
}

/** DDIM's step written so that it takes any ε (PNDM eq. 11). */
function transfer(schedule: Schedule, x: NdArray, eps: NdArray, t: number, to: number): NdArray {
  const { sample, noise } = ddimCoefficients(levelAt(schedule, t), levelAt(schedule, to));
  return axpby(sample, x, noise, eps);
}

/**
 * Latent consistency: jump to the clean latent, add fresh noise of the next level, repeat. Guidance is an input of the
 * network here, not a pair of passes.
 * @see Luo et al. 2023, "Latent Consistency Models", arXiv:2310.04378, alg. 3
 */
const lcm: Sampler = async function* (
  denoise,
  x,
  schedule,
  { steps, rng, predictionType = schedule.predictionType },
) {
  const timesteps = lcmGrid(schedule, steps);
  for (const [index, t] of timesteps.entries()) {
    const { x0 } = predictions(predictionType, await denoise(x, t), x, levelAt(schedule, t));
    const { skip, out } = lcmScalings(t);
    const denoised = axpby(out, x0, skip, x);
    const next = timesteps[index + 1];
    x = next === undefined ? denoised : mix(levelAt(schedule, next), denoised, noiseLike(x, rng));
    yield { index, total: steps, timestep: t, x, denoised };
  }
  return x;
};

/** Boundary condition of consistency models (σ_data = 0.5, timesteps × 10): at t = 0 the output is x itself. */
export function lcmScalings(t: number): { skip: number; out: number } {
  const scaled = 10 * t;
  const norm = scaled ** 2 + 0.25;
  return { skip: 0.25 / norm, out: scaled / Math.sqrt(norm) };
}

/** The samplers by the name that settings and recipes use. */
export const samplers = {
  ddim,
  euler,
  'euler-ancestral': eulerAncestral,
  'dpm-solver': dpmSolver,
  pndm,
  lcm,
} as const satisfies Record<string, Sampler>;

export type SamplerName = keyof typeof samplers;

/**
 * Factor on unit noise that starts a sampler. 1, except that Euler's with linspace or trailing spacing starts from
 * σ_max·ε with no unit-variance correction (as diffusers' init_noise_sigma).
 */
export function initialScale(name: SamplerName, schedule: Schedule, steps: number): number {
  if (!name.startsWith('euler') || schedule.timestepSpacing === 'leading') return 1;
  return levelOfSigma(eulerSigmas(schedule, steps).sigmas[0]!).sigma;
}

function eulerSigmas(schedule: Schedule, steps: number): { timesteps: number[]; sigmas: number[] } {
  const timesteps = eulerGrid(schedule, steps);
  return { timesteps, sigmas: [...timesteps.map((t) => sigmaAt(schedule, t)), 0] };
}

function dpmSigmas(schedule: Schedule, steps: number): { timesteps: number[]; sigmas: number[] } {
  if (schedule.useKarrasSigmas) {
    const { timesteps, sigmas } = karrasGrid(schedule, steps);
    return { timesteps, sigmas: [...sigmas, 0] };
  }
  const timesteps = dpmSolverGrid(schedule, steps);
  return { timesteps, sigmas: [...timesteps.map((t) => schedule.sigmas[t]!), 0] };
}

function noiseLike(x: NdArray, rng: TorchRng | undefined): NdArray {
  assert(rng, 'a sampler that adds noise is given an rng');
  return ndArray(rng.randn(x.data.length), x.shape);
}
