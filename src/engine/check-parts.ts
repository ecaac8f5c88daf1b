import type { ModelParts } from '../diffusion/model';
import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';

/** Parts of one folder may each be sound and yet not be of one model. @throws AppError UNSUPPORTED_MODEL naming the key */
export function checkParts(name: string, { unet, vae, textEncoder, tokenizer }: ModelParts): void {
  const rules = [
    ['unet', 'in_channels', unet.config.inChannels, 'vae', 'latent_channels', vae.config.latentChannels],
    ['unet', 'out_channels', unet.config.outChannels, 'vae', 'latent_channels', vae.config.latentChannels],
    [
      'unet',
      'cross_attention_dim',
      unet.config.crossAttentionDim,
      'text_encoder',
      'hidden_size',
      textEncoder.config.width,
    ],
  ] as const;
  for (const [folder, key, found, other, otherKey, expected] of rules) {
    if (found === expected) continue;
    throw new AppError(
      'UNSUPPORTED_MODEL',
      `${name}: config key "${key}" of ${folder} is ${found}, "${otherKey}" of ${other} is ${expected}; they have to be equal`,
      { key },
    );
  }
  const { vocabSize, maxLength } = textEncoder.config;
  const wanted = [
    ['vocab_size', vocabSize, tokenizer.vocabSize],
    ['max_position_embeddings', maxLength, tokenizer.modelMaxLength],
  ] as const;
  for (const [key, found, needed] of wanted) {
    if (found >= needed) continue;
    throw new AppError(
      'UNSUPPORTED_MODEL',
      `${name}: config key "${key}" of text_encoder is ${found}; the tokenizer needs ${needed}`,
      { key },
    );
  }
}

/**
 * Refuse weights that cannot all be held, before the first is read. What runs take beside them is checked run by run.
 *
 * @param total  bytes
 * @throws AppError TOO_BIG with both figures
 */
export function checkResident(name: string, parts: ModelParts, total: number): void {
  const stores = [parts.unet, parts.vae, parts.textEncoder].map(({ weights }) => weights);
  const needed = stores.reduce((bytes, weights) => {
    // CPU backends hold constants twice: ORT packs them and cannot give the others back
    const each = (weights.backend.device ? 1 : 2) * (weights.dtype === 'float16' ? 2 : 4);
    return [...weights.names].reduce((sum, key) => sum + each * sizeOf(weights.shape(key)), bytes);
  }, 0);
  if (needed <= total) return;
  const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new AppError(
    'TOO_BIG',
    `${name} needs ${gb(needed)} of memory for its weights; ${gb(total)} can be used here`,
    { needed, total },
  );
}
