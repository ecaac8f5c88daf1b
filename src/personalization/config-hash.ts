import type { ModelParts } from '../diffusion/model';
import { rawBytes } from '../runtime/tensor';
import type { LearnRequest } from './plan';

/** SHA-256 (hex) of everything that decides a run: settings, pictures, and the base as far as its first weight tells. */
export async function configHash(base: ModelParts, { pictures, ...settings }: LearnRequest): Promise<string> {
  const { unet, textEncoder, vae, schedule } = base;
  const configs = [
    unet.config,
    textEncoder.config,
    vae.config,
    { ...schedule, betas: [], alphasCumprod: [], sigmas: [] },
  ];
  const text = new TextEncoder().encode(JSON.stringify([settings, configs]));
  const parts = [
    text,
    ...pictures.map(({ data }) => rawBytes(data)),
    rawBytes((await unet.weights.read('conv_in.weight')).data),
  ];
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
