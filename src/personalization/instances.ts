import { createAutoencoder } from '../diffusion/autoencoder';
import type { ModelParts } from '../diffusion/model';
import { vaeFactor } from '../models/vae-config';
import type { Example } from '../training/data';
import { AppError } from '../util/errors';
import { type Resize, viewsOf } from './augment';
import { fillTemplate, templatesOf } from './method';
import { personalizationMethods } from './methods';
import type { LearnRequest } from './plan';

/** Every view of every picture, encoded once. @throws AppError SHAPE for a picture of another size */
export async function encodeInstances(
  base: ModelParts,
  request: LearnRequest,
  resize: Resize,
  signal?: AbortSignal,
): Promise<Example[]> {
  const { method: name, options, pictures, token, classWord, seed } = request;
  const method = personalizationMethods[name]!;
  const plain = options.varied === 0 && method.augmentation === 'scale';
  const augmentation = plain ? 'flip' : method.augmentation;
  const templates = templatesOf(method, options);
  const subject = method.subject(token, classWord);
  const { config, weights } = base.vae;
  const [side, factor] = [pictures[0]!.shape[3]!, vaeFactor(config)];
  if (pictures.some(({ shape }) => shape.join() !== `1,3,${side},${side}`) || side % factor !== 0) {
    throw new AppError('SHAPE', `pictures must all be [1,3,S,S] with S a multiple of ${factor}`);
  }
  const autoencoder = createAutoencoder(config, weights, side);
  try {
    const examples: Example[] = [];
    for (const [i, picture] of pictures.entries()) {
      const views = await viewsOf(picture, augmentation, { resize, factor, seed: seed + i });
      for (const { picture: view, prefix, mask } of views) {
        signal?.throwIfAborted();
        examples.push({
          latent: await autoencoder.posterior(view),
          prompts: templates.map((template) => prefix + fillTemplate(template, subject)),
          ...(mask && { mask }),
        });
      }
    }
    return examples;
  } finally {
    await autoencoder.dispose();
  }
}
