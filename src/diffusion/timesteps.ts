import { AppError } from '../util/errors';
import type { Schedule } from './schedule';

/** To nearest, halves to even, as numpy: matters on exact halves only. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Descending timesteps of an n-step sampler. @throws AppError BAD_REQUEST unless 1 ≤ n ≤ T; FORMATS.md 2.3 */
export function timestepGrid(schedule: Schedule, n: number): number[] {
  const T = checkedSteps(schedule, n);
  return clamped(schedule, n, (i) => {
    switch (schedule.timestepSpacing) {
      case 'leading':
        return (n - 1 - i) * Math.floor(T / n) + schedule.stepsOffset;
      case 'trailing':
        return roundHalfEven(T - (i * T) / n) - 1;
      case 'linspace':
        return roundHalfEven(linspaceAt(T, n, i));
    }
  });
}

/** Timesteps of Euler samplers: as above, but linspace keeps its fractions (as diffusers' Euler schedulers). */
export function eulerGrid(schedule: Schedule, n: number): number[] {
  if (schedule.timestepSpacing !== 'linspace') return timestepGrid(schedule, n);
  const T = checkedSteps(schedule, n);
  return Array.from({ length: n }, (_, i) => linspaceAt(T, n, i));
}

/** Timesteps of DPM-Solver++: one point more is laid out and the last left off, so that the last step is no shorter. */
export function dpmSolverGrid(schedule: Schedule, n: number): number[] {
  const T = checkedSteps(schedule, n);
  return clamped(schedule, n, (i) => {
    switch (schedule.timestepSpacing) {
      case 'leading':
        return (n - i) * Math.floor(T / (n + 1)) + schedule.stepsOffset;
      case 'trailing':
        return roundHalfEven(T - (i * T) / n) - 1;
      case 'linspace':
        return roundHalfEven(((T - 1) * (n - i)) / n);
    }
  });
}

/** Timesteps of LCM: n of the `original` steps of its distillation. */
export function lcmGrid(schedule: Schedule, n: number, original = 50): number[] {
  if (!(n <= original)) throw new AppError('BAD_REQUEST', `LCM has at most ${original} steps, not ${n}`);
  const T = checkedSteps(schedule, n);
  const stride = Math.floor(T / original);
  return Array.from({ length: n }, (_, i) => (original - Math.floor((i * original) / n)) * stride - 1);
}

/**
 * σ grid of Karras et al. between the schedule's ends, descending, without the final 0, and the nearest timesteps.
 * @see Karras et al. 2022, arXiv:2206.00364, eq. (5), ρ = 7
 */
export function karrasGrid(
  schedule: Schedule,
  n: number,
  rho = 7,
): { timesteps: number[]; sigmas: number[] } {
  checkedSteps(schedule, n);
  const low = schedule.sigmas[0]! ** (1 / rho);
  const high = schedule.sigmas.at(-1)! ** (1 / rho);
  const sigmas = Array.from({ length: n }, (_, i) => (high + (i / Math.max(n - 1, 1)) * (low - high)) ** rho);
  return { timesteps: sigmas.map((sigma) => roundHalfEven(timestepOfSigma(schedule, sigma))), sigmas };
}

/** σ at a timestep that may lie between two steps: linear in σ, as numpy.interp in diffusers. */
export function sigmaAt({ sigmas }: Schedule, t: number): number {
  const low = Math.min(Math.floor(t), sigmas.length - 1);
  const high = Math.min(low + 1, sigmas.length - 1);
  return sigmas[low]! + (t - low) * (sigmas[high]! - sigmas[low]!);
}

/** The (fractional) timestep with this σ, by interpolation in ln σ. */
function timestepOfSigma({ sigmas }: Schedule, sigma: number): number {
  let low = sigmas.length - 2;
  while (low > 0 && sigmas[low]! > sigma) low--;
  const [from, to] = [Math.log(sigmas[low]!), Math.log(sigmas[low + 1]!)];
  return low + Math.min(Math.max((Math.log(sigma) - from) / (to - from), 0), 1);
}

/** A single step starts from pure noise (numpy's linspace would start, and end, at t = 0). */
const linspaceAt = (T: number, n: number, i: number): number =>
  n === 1 ? T - 1 : ((T - 1) * (n - 1 - i)) / (n - 1);

/** An offset may push the first step of a fine grid past the end. */
const clamped = ({ numTrainTimesteps: T }: Schedule, n: number, at: (i: number) => number): number[] =>
  Array.from({ length: n }, (_, i) => Math.min(at(i), T - 1));

function checkedSteps({ numTrainTimesteps: T }: Schedule, n: number): number {
  if (!(Number.isInteger(n) && n >= 1 && n <= T)) {
    throw new AppError('BAD_REQUEST', `the number of steps is a whole number from 1 to ${T}, not ${n}`);
  }
  return T;
}
