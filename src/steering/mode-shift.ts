/** Mode shifting: the ordinary denoising loss on the guided samples, which keeps the concept's look (METHOD.md 3.4). */
import type { Schedule } from '../diffusion/schedule';
import { type StepData, stepData } from '../training/data';
import { type NdArray, zeros } from '../util/nd-array';

export interface ModeShiftData {
  /** latents [1,C,h,w] */
  readonly guided: readonly NdArray[];
  readonly targetPrompt: string;
  readonly batch: number;
  readonly schedule: Schedule;
  readonly seed: number;
  /** [h·w], how much each place counts; absent: all alike */
  readonly mask?: Float32Array;
}

/**
 * What step 0, 1, … of L_MS sees: guided samples in turn, noised with draws of their own (t over the whole range).
 *
 * @see METHOD.md E6
 */
export function modeShiftData(data: ModeShiftData, step: number): StepData {
  const { guided, targetPrompt, batch, schedule, seed, mask } = data;
  const instances = guided.map((mean) => ({
    latent: { mean, std: zeros(mean.shape) },
    prompts: [targetPrompt],
    ...(mask && { mask }),
  }));
  return stepData({ instances, batch, schedule, seed }, step);
}
