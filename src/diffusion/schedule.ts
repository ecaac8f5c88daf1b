import { AppError } from '../util/errors';
import { axpby, type NdArray, scale } from '../util/nd-array';

/** What the network was trained to output. */
export type PredictionType = 'epsilon' | 'v_prediction' | 'sample';
export type BetaSchedule = 'scaled_linear' | 'linear' | 'squaredcos_cap_v2';
export type TimestepSpacing = 'leading' | 'trailing' | 'linspace';

/** The part of scheduler_config.json that matters here, defaults filled in (see scheduler-config.ts). */
export interface ScheduleConfig {
  /** T */
  readonly numTrainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: BetaSchedule;
  /** β_t themselves, in place of the three fields above */
  readonly trainedBetas: readonly number[] | null;
  readonly rescaleBetasZeroSnr: boolean;
  readonly predictionType: PredictionType;
  readonly timestepSpacing: TimestepSpacing;
  readonly stepsOffset: number;
  /** the level before t = 0 is noiseless; else that of t = 0 (Stable Diffusion) */
  readonly setAlphaToOne: boolean;
  readonly useKarrasSigmas: boolean;
}

/** Stable Diffusion 1 and 2, BK-SDM, Turbo. */
export const stableDiffusionSchedule: ScheduleConfig = {
  numTrainTimesteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: 'scaled_linear',
  trainedBetas: null,
  rescaleBetasZeroSnr: false,
  predictionType: 'epsilon',
  timestepSpacing: 'leading',
  stepsOffset: 1,
  setAlphaToOne: false,
  useKarrasSigmas: false,
};

/** How a latent is mixed, x = alpha·x0 + sigma·ε; alpha² + sigma² = 1 (METHOD.md 1: alpha_t, sigma_t). */
export interface Level {
  readonly alpha: number;
  readonly sigma: number;
}

/** Noise levels of a diffusion model, in float64: t = 0 … T − 1. */
export interface Schedule extends ScheduleConfig {
  readonly betas: Float64Array;
  /** ᾱ_t */
  readonly alphasCumprod: Float64Array;
  /** sqrt((1 − ᾱ_t) / ᾱ_t): σ of Karras et al. 2022, ascending */
  readonly sigmas: Float64Array;
}

/**
 * Tables of a noise schedule.
 * @see Ho et al. 2020, arXiv:2006.11239; Nichol, Dhariwal 2021, arXiv:2102.09672 (squaredcos_cap_v2); FORMATS.md 2.1
 */
export function createSchedule(config: ScheduleConfig = stableDiffusionSchedule): Schedule {
  let betas = config.trainedBetas ? Float64Array.from(config.trainedBetas) : makeBetas(config);
  if (config.rescaleBetasZeroSnr) betas = zeroTerminalSnr(betas);
  const alphasCumprod = cumulativeAlphas(betas);
  // with zero terminal SNR the last σ would be infinite; diffusers' Euler puts the same floor under ᾱ
  const sigmas = alphasCumprod.map((a) => Math.sqrt((1 - a) / Math.max(a, 2 ** -24)));
  return { ...config, betas, alphasCumprod, sigmas };
}

function makeBetas({ numTrainTimesteps: T, betaStart, betaEnd, betaSchedule }: ScheduleConfig): Float64Array {
  const linspace = (from: number, to: number) =>
    Float64Array.from({ length: T }, (_, i) => from + ((to - from) * i) / (T - 1));
  switch (betaSchedule) {
    case 'linear':
      return linspace(betaStart, betaEnd);
    case 'scaled_linear':
      return linspace(Math.sqrt(betaStart), Math.sqrt(betaEnd)).map((b) => b * b);
    case 'squaredcos_cap_v2': {
      const alphaBar = (u: number) => Math.cos(((u + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
      return Float64Array.from({ length: T }, (_, i) =>
        Math.min(1 - alphaBar((i + 1) / T) / alphaBar(i / T), 0.999),
      );
    }
  }
}

function cumulativeAlphas(betas: Float64Array): Float64Array {
  let product = 1;
  return betas.map((beta) => {
    product *= 1 - beta;
    return product;
  });
}

/**
 * Shift and scale sqrt(ᾱ) so that the last step is pure noise and the first unchanged.
 * @see Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", arXiv:2305.08891, alg. 1
 */
function zeroTerminalSnr(betas: Float64Array): Float64Array {
  const roots = cumulativeAlphas(betas).map(Math.sqrt);
  const first = roots[0]!;
  const last = roots.at(-1)!;
  const alphasCumprod = roots.map((root) => (((root - last) * first) / (first - last)) ** 2);
  return alphasCumprod.map((a, t) => 1 - (t === 0 ? a : a / alphasCumprod[t - 1]!));
}

/** The level of timestep t; before 0, the final level. @throws AppError BAD_REQUEST beyond T − 1 or between steps */
export function levelAt(schedule: Schedule, t: number): Level {
  if (t < 0 && schedule.setAlphaToOne) return { alpha: 1, sigma: 0 };
  const alphaBar = schedule.alphasCumprod[Math.max(t, 0)];
  if (alphaBar === undefined) {
    throw new AppError('BAD_REQUEST', `timestep ${t} is not one of 0 … ${schedule.numTrainTimesteps - 1}`);
  }
  return { alpha: Math.sqrt(alphaBar), sigma: Math.sqrt(1 - alphaBar) };
}

/** The level with this σ of Karras et al. (noise over signal). */
export function levelOfSigma(sigma: number): Level {
  const alpha = 1 / Math.sqrt(sigma * sigma + 1);
  return { alpha, sigma: sigma * alpha };
}

/** alpha·x0 + sigma·noise. */
export const mix = ({ alpha, sigma }: Level, x0: NdArray, noise: NdArray): NdArray =>
  axpby(alpha, x0, sigma, noise);

/** x_t = alpha_t·x0 + sigma_t·noise. @param t  integer in [0, T) */
export const addNoise = (schedule: Schedule, x0: NdArray, noise: NdArray, t: number): NdArray =>
  mix(levelAt(schedule, t), x0, noise);

/**
 * The clean latent and the noise that a network output m stands for, at x of this level (FORMATS.md 2.2). Nothing
 * is clipped: `clip_sample` of configs is for pixels.
 */
export function predictions(
  type: PredictionType,
  m: NdArray,
  x: NdArray,
  { alpha, sigma }: Level,
): { x0: NdArray; eps: NdArray } {
  switch (type) {
    case 'epsilon':
      return { x0: axpby(1 / alpha, x, -sigma / alpha, m), eps: m };
    case 'v_prediction':
      return { x0: axpby(alpha, x, -sigma, m), eps: axpby(alpha, m, sigma, x) };
    case 'sample':
      return { x0: m, eps: axpby(1 / sigma, x, -alpha / sigma, m) };
  }
}

/** ε̂ = output·m + sample·x of a network output m at x of this level: the noise of `predictions`, as coefficients. */
export function noiseCoefficients(
  type: PredictionType,
  { alpha, sigma }: Level,
): { readonly output: number; readonly sample: number } {
  switch (type) {
    case 'epsilon':
      return { output: 1, sample: 0 };
    case 'v_prediction':
      return { output: alpha, sample: sigma };
    case 'sample':
      return { output: -alpha / sigma, sample: 1 / sigma };
  }
}

/** DDIM's deterministic step from one level to another as coefficients: x' = sample·x + noise·ε̂ (METHOD.md B5). */
export function ddimCoefficients(
  from: Level,
  to: Level,
): { readonly sample: number; readonly noise: number } {
  const sample = to.alpha / from.alpha;
  return { sample, noise: to.sigma - sample * from.sigma };
}

/** What the network should output at alpha·x0 + sigma·noise: the target of its training loss. */
export function predictionTarget(
  type: PredictionType,
  x0: NdArray,
  noise: NdArray,
  { alpha, sigma }: Level,
): NdArray {
  switch (type) {
    case 'epsilon':
      return noise;
    case 'v_prediction':
      return axpby(alpha, noise, -sigma, x0);
    case 'sample':
      return scale(1, x0);
  }
}
