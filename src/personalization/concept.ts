import type { ModelParts } from '../diffusion/model';
import { type Changes, type WeightMap, wordsOf } from '../diffusion/personalise';
import type { WeightStore } from '../runtime/weights';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import { factorNames, mergeLora } from './lora';

/** Something learned: what it changes in one base model, never a copy of that model (whole-model DreamBooth excepted). */
export interface Concept {
  /** name of its row in methods.ts */
  readonly method: string;
  readonly token: string;
  readonly classWord: string;
  /** words that stand for it in a prompt, e.g. '<miso> cat' */
  readonly subject: string;
  /** learned token rows [n,D]; null: the token is an ordinary word */
  readonly rows: NdArray | null;
  /** weights that replace the base's, by state-dict key */
  readonly unet: ReadonlyMap<string, NdArray>;
  readonly text: ReadonlyMap<string, NdArray>;
  /** low-rank updates of UNet weights: factors by PEFT name, update = alpha/rank · B·A */
  readonly lora: {
    readonly rank: number;
    readonly alpha: number;
    readonly factors: ReadonlyMap<string, NdArray>;
  } | null;
}

/**
 * What a concept changes in a base: `DiffusionModel.personalise` takes it.
 *
 * @throws AppError UNSUPPORTED_MODEL when the concept belongs to another base
 */
export function changesOf({ unet, textEncoder }: Base, concept: Concept): Changes {
  const { rows, token } = concept;
  const { width } = textEncoder.config;
  if (rows && rows.shape[1] !== width) {
    throw otherBase(`its word has ${rows.shape[1]} values, this model's have ${width}`);
  }
  return {
    tokens: rows ? [{ token, vectors: rows }] : [],
    unet: new Map([...replaced(unet.weights, concept.unet), ...updated(unet.weights, concept.lora)]),
    textEncoder: replaced(textEncoder.weights, concept.text),
  };
}

type Base = Pick<ModelParts, 'unet' | 'textEncoder'>;

/**
 * The base model with a concept applied. Everything the concept does not change is the base's own, so this takes
 * milliseconds; changes are made when a weight is first used.
 *
 * @throws AppError UNSUPPORTED_MODEL when the concept belongs to another base
 */
export function applyConcept(base: ModelParts, concept: Concept): ModelParts {
  const { tokens, unet, textEncoder } = changesOf(base, concept);
  const { tokenizer, learned } = wordsOf(base, tokens);
  return {
    ...base,
    unet: { ...base.unet, weights: overlaid(base.unet.weights, unet, concept.token) },
    textEncoder: {
      ...base.textEncoder,
      weights: overlaid(base.textEncoder.weights, textEncoder, concept.token),
      ...(learned && { learned }),
    },
    tokenizer,
  };
}

function overlaid(weights: WeightStore, changes: WeightMap, label: string): WeightStore {
  if (changes.size === 0) return weights;
  const delta = {
    shapes: new Map([...changes.keys()].map((name) => [name, weights.shape(name)])),
    load: async (name: string) => changes.get(name)!(await weights.read(name)),
  };
  return weights.overlay(delta, `${weights.label} with ${label}`);
}

const otherBase = (why: string): AppError =>
  new AppError('UNSUPPORTED_MODEL', `this concept was learned on another model: ${why}`);

function replaced(base: WeightStore, weights: ReadonlyMap<string, NdArray>): WeightMap {
  for (const [name, { shape }] of weights) {
    if (!base.has(name) || base.shape(name).join() !== shape.join())
      throw otherBase(`it changes ${name} [${shape}]`);
  }
  return new Map([...weights].map(([name, value]) => [name, () => value]));
}

function updated(base: WeightStore, lora: Concept['lora']): WeightMap {
  if (!lora) return new Map();
  const { factors, alpha, rank } = lora;
  return new Map(
    [...factors].flatMap(([factor, a]) => {
      if (!factor.endsWith('.lora_A.weight')) return [];
      const name = factor.replace(/\.lora_A\.weight$/, '.weight');
      if (!base.has(name)) throw otherBase(`it changes ${name}`);
      const b = factors.get(factorNames(name)[1])!;
      return [[name, (weight: NdArray) => mergeLora(weight, a, b, alpha / rank)] as const];
    }),
  );
}
