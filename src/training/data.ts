/** What each training step sees. Every draw depends on the seed and the step alone, so a resumed run sees the same. */
import type { Posterior } from '../diffusion/autoencoder';
import { addNoise, levelAt, predictionTarget, type Schedule } from '../diffusion/schedule';
import { type NdArray, ndArray, sizeOf, stack } from '../util/nd-array';
import { createStepRng, type TorchRng } from '../util/random';

const MIN_SNR_GAMMA = 5;

/** One picture in one crop, encoded. */
export interface Example {
  readonly latent: Posterior;
  /** one is drawn at each step */
  readonly prompts: readonly string[];
  /** [h·w] in [0,1]: how much each place counts, 0 where the latent was padded; absent: 1 everywhere */
  readonly mask?: Float32Array;
}

export interface DataOptions {
  readonly instances: readonly Example[];
  /** pictures of the class, for prior preservation; none: off */
  readonly priors?: readonly Example[];
  readonly priorWeight?: number;
  /** instances per step; as many priors come on top */
  readonly batch: number;
  readonly schedule: Schedule;
  /** errors times `levelWeight`, and one timestep from each of `batch` parts of their range; default: neither */
  readonly evenLevels?: boolean;
  readonly seed: number;
}

/** Everything about one step but how prompts are encoded. */
export interface StepData {
  readonly prompts: readonly string[];
  /** [B] */
  readonly timesteps: readonly number[];
  /** x_t and what the network should output, [B,C,h,w] */
  readonly sample: NdArray;
  readonly target: NdArray;
  /** [B,1,h,w]: mean over instances plus priorWeight × mean over priors, each over its valid region */
  readonly lossWeight: NdArray;
}

/** Rows of a step: instances, then priors. */
export const rowsPerStep = ({ batch, priors = [] }: Pick<DataOptions, 'batch' | 'priors'>): number =>
  priors.length > 0 ? 2 * batch : batch;

/** The data of step 0, 1, … */
export function stepData(options: DataOptions, step: number): StepData {
  const { instances, priors = [], priorWeight = 1, batch, schedule, evenLevels = false, seed } = options;
  const rng = createStepRng(seed, step);
  const examples = [
    ...inOrder(instances, batch, seed, step).map((example) => ({ example, weight: 1 / batch })),
    ...(priors.length ? inOrder(priors, batch, seed + 1, step) : []).map((example) => ({
      example,
      weight: priorWeight / batch,
    })),
  ];
  const parts = evenLevels ? batch : 1;
  const startOf = (part: number): number => Math.floor((part * schedule.numTrainTimesteps) / parts);
  const rows = examples.map(({ example, weight }, i) => {
    const { latent, prompts, mask } = example;
    const { shape } = latent.mean;
    const x0 = drawn(latent, rng);
    const t = rng.randint(startOf(i % parts), startOf((i % parts) + 1), 1)[0]!;
    const noise = ndArray(rng.randn(sizeOf(shape)), shape);
    return {
      prompt: prompts[rng.randint(0, prompts.length, 1)[0]!]!,
      t,
      sample: addNoise(schedule, x0, noise, t),
      target: predictionTarget(schedule.predictionType, x0, noise, levelAt(schedule, t)),
      lossWeight: regionWeight(shape, evenLevels ? weight * levelWeight(schedule, t) : weight, mask),
    };
  });
  return {
    prompts: rows.map(({ prompt }) => prompt),
    timesteps: rows.map(({ t }) => t),
    sample: stack(rows.map(({ sample }) => sample)),
    target: stack(rows.map(({ target }) => target)),
    lossWeight: stack(rows.map(({ lossWeight }) => lossWeight)),
  };
}

/**
 * What makes every noise level count about alike: γ/SNR of the noise's squared error where there is little noise
 * (min-SNR, γ = 5), 1/√SNR where there is more noise than picture, which plain error nearly ignores though there it is
 * decided what the picture shows. For other predictions the same, in terms of their own error.
 *
 * @see Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy", arXiv:2303.09556
 */
export function levelWeight(schedule: Schedule, t: number): number {
  const { alpha, sigma } = levelAt(schedule, t);
  const snr = (alpha / sigma) ** 2;
  const ofNoise = snr < 1 ? snr ** -0.5 : Math.min(snr, MIN_SNR_GAMMA) / snr;
  switch (schedule.predictionType) {
    case 'epsilon':
      return ofNoise;
    case 'v_prediction':
      return ofNoise * alpha * alpha; // δε = α·δv
    case 'sample':
      return ofNoise * snr; // δε = −(α/σ)·δx0
  }
}

/** mean + σ·ε */
function drawn({ mean, std }: Posterior, rng: TorchRng): NdArray {
  if (std.data.every((s) => s === 0)) return mean;
  const noise = rng.randn(mean.data.length);
  return { data: mean.data.map((m, i) => m + std.data[i]! * noise[i]!), shape: mean.shape };
}

/** [1,1,h,w] so that Σ weight·error² is `weight` × the mean squared error over the valid region. */
function regionWeight(
  [, channels, height, width]: readonly number[],
  weight: number,
  mask?: Float32Array,
): NdArray {
  const shape = [1, 1, height!, width!];
  const valid = mask ?? new Float32Array(height! * width!).fill(1);
  const size = valid.reduce((a, b) => a + b, 0) * channels!;
  return { data: valid.map((v) => (v * weight) / size), shape };
}

/** The next `batch` items of an endless walk through all items, in a new random order each time round. */
function inOrder<T>(items: readonly T[], batch: number, seed: number, step: number): T[] {
  return Array.from({ length: batch }, (_, i) => {
    const position = step * batch + i;
    const round = Math.floor(position / items.length);
    const order = createStepRng(seed, -1 - round).randperm(items.length);
    return items[order[position % items.length]!]!;
  });
}
