import type { ModelParts } from '../diffusion/model';
import { rawBytes } from '../runtime/tensor';
import { sha256 } from '../util/digest';
import type { NdArray } from '../util/nd-array';
import type { LearnRequest } from './plan';

/** SHA-256 (hex) of everything that decides a run: settings, pictures, and the base as far as its first weight tells. */
export const configHash = (base: ModelParts, { pictures, ...settings }: LearnRequest): Promise<string> =>
  runHash(base, settings, pictures);

/** @param settings  plain data   @param inputs  arrays whose values decide the run too */
export async function runHash(
  { unet, textEncoder, vae, schedule }: ModelParts,
  settings: unknown,
  inputs: readonly NdArray[],
): Promise<string> {
  const configs = [
    unet.config,
    textEncoder.config,
    vae.config,
    { ...schedule, betas: [], alphasCumprod: [], sigmas: [] },
  ];
  const first = await unet.weights.read('conv_in.weight');
  return sha256([
    JSON.stringify([settings, configs]),
    ...[...inputs, first].map(({ data }) => rawBytes(data)),
  ]);
}
