import { createDenoiser } from '../../src/diffusion/denoiser';
import { denoiserNoise, guided } from '../../src/diffusion/guidance';
import type { ModelParts, PersonalModel } from '../../src/diffusion/model';
import { samplers } from '../../src/diffusion/samplers';
import { createTextEncoder } from '../../src/diffusion/text-encoder';
import { watchPhrases } from '../../src/diffusion/watch';
import { fromTensor } from '../../src/formats/tensor';
import { type NdArray, ndArray, sizeOf } from '../../src/util/nd-array';
import type { Pixels } from '../../src/util/pixels';
import { createTorchRng } from '../../src/util/random';
import type { Lab } from './lab';

/** The checkpoint with a concept in it, fitted or not. */
export interface Personal extends PersonalModel {
  /** Frees what is not the checkpoint's own. */
  dispose(): Promise<void>;
}

/** @param parts  the checkpoint's own, with a concept applied */
export function openPersonal({ base, model, limits }: Lab, parts: ModelParts): Personal {
  const [, , height, width] = model.latentShape;
  const { unet, textEncoder, tokenizer } = parts;
  const size = { height, width, tokens: base.tokenizer.modelMaxLength, limits };
  const denoiser = createDenoiser(unet.config, unet.weights, size);
  const text = createTextEncoder(textEncoder.config, textEncoder.weights, tokenizer, textEncoder.learned);
  return {
    predictNoise: denoiserNoise(denoiser, parts.schedule),
    embed: text.embed,
    attend: denoiser.attend,
    watch: (prompt, phrases) => watchPhrases(denoiser, parts, prompt, phrases),
    tokenizer,
    unet,
    async dispose() {
      await denoiser.dispose();
      await text.dispose();
      if (unet.weights !== base.unet.weights) unet.weights.dispose();
      if (textEncoder.weights !== base.textEncoder.weights) textEncoder.weights.dispose();
    },
  };
}

/** A picture from a prompt by DDIM. */
export async function sample(
  { model }: Lab,
  { predictNoise, embed }: Personal,
  prompt: string,
  { seed, steps, guidance }: { readonly seed: number; readonly steps: number; readonly guidance: number },
): Promise<Pixels> {
  const [empty, context] = [await embed(''), await embed(prompt)];
  const noise = ndArray(createTorchRng(seed).randn(sizeOf(model.latentShape)), model.latentShape);
  const denoise = (x: NdArray, t: number) => guided(predictNoise, x, t, empty, context, guidance);
  let latent = noise;
  const walk = samplers.ddim(denoise, noise, model.schedule, { steps, predictionType: 'epsilon' });
  for await (const step of walk) latent = step.x;
  return fromTensor(await model.decode(latent));
}
