/** A concept fitted to one photo: a change of its own, which leaves the concept as it is. */
import type { ModelParts } from '../diffusion/model';
import { applyConcept, type Concept } from '../personalization/concept';
import { rawBytes } from '../runtime/tensor';
import { sha256 } from '../util/digest';
import type { NdArray } from '../util/nd-array';

export interface Fit {
  /** SHA-256 (hex) of the concept it was made from, see `conceptHash` */
  readonly parent: string;
  /** SHA-256 (hex) of everything that decided it, see steer.ts */
  readonly key: string;
  /** true: `delta` is applied on top of the concept; false: in its place */
  readonly onTop: boolean;
  /** what it changes in the base model */
  readonly delta: Concept;
  /** the guided samples, latents [1,C,h,w] */
  readonly guided: readonly NdArray[];
}

/**
 * The base model with a concept as fitted. Weights that neither changes are the base's own.
 *
 * @throws AppError UNSUPPORTED_MODEL when either belongs to another base
 */
export const applyFit = (base: ModelParts, concept: Concept, { onTop, delta }: Fit): ModelParts =>
  applyConcept(onTop ? applyConcept(base, concept) : base, delta);

/** SHA-256 (hex) of a concept's words and numbers: what a fit names as its parent. */
export async function conceptHash(concept: Concept): Promise<string> {
  const { method, token, classWord, subject, rows, unet, text, lora } = concept;
  const tensors: (readonly [string, NdArray])[] = [...unet, ...text, ...(lora?.factors ?? [])];
  tensors.sort(([a], [b]) => (a < b ? -1 : 1));
  if (rows) tensors.unshift(['rows', rows]);
  const about = [
    [method, token, classWord, subject, lora && [lora.rank, lora.alpha]],
    tensors.map(([name, { shape }]) => [name, shape]),
  ];
  return sha256([JSON.stringify(about), ...tensors.map(([, { data }]) => rawBytes(data))]);
}
