import type { ModelParts } from '../diffusion/model';
import type { WeightSource, WeightStore } from '../runtime/weights';
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
 * The base model with a concept applied. Everything the concept does not change is the base's own, so this takes
 * milliseconds; updates are merged when a weight is first used.
 *
 * @throws AppError UNSUPPORTED_MODEL when the concept belongs to another base
 */
export function applyConcept(base: ModelParts, concept: Concept): ModelParts {
  const { rows, token } = concept;
  if (rows && rows.shape[1] !== base.textEncoder.config.width) {
    throw otherBase(
      `its word has ${rows.shape[1]} values, this model's have ${base.textEncoder.config.width}`,
    );
  }
  return {
    ...base,
    unet: {
      ...base.unet,
      weights: overlaid(base.unet.weights, unetDelta(base.unet.weights, concept), token),
    },
    textEncoder: {
      ...base.textEncoder,
      weights: overlaid(base.textEncoder.weights, replacement(concept.text), token),
      ...(rows && { learned: rows }),
    },
    tokenizer: rows ? base.tokenizer.withPlaceholders([{ token, vectors: rows.shape[0]! }]) : base.tokenizer,
  };
}

const otherBase = (why: string): AppError =>
  new AppError('UNSUPPORTED_MODEL', `this concept was learned on another model: ${why}`);

function overlaid(weights: WeightStore, delta: WeightSource, label: string): WeightStore {
  if (delta.shapes.size === 0) return weights;
  const unknown = [...delta.shapes].find(
    ([name, shape]) => !weights.has(name) || weights.shape(name).join() !== shape.join(),
  );
  if (unknown) throw otherBase(`it changes ${unknown[0]} [${unknown[1]}]`);
  return weights.overlay(delta, `${weights.label} with ${label}`);
}

const replacement = (weights: ReadonlyMap<string, NdArray>): WeightSource => ({
  shapes: new Map([...weights].map(([name, { shape }]) => [name, shape])),
  load: async (name) => weights.get(name)!,
});

function unetDelta(base: WeightStore, { unet, lora }: Concept): WeightSource {
  if (!lora) return replacement(unet);
  const { factors, alpha, rank } = lora;
  const paths = [...factors.keys()].filter((name) => name.endsWith('.lora_A.weight'));
  const names = paths.map((name) => name.replace(/\.lora_A\.weight$/, '.weight'));
  const missing = names.find((name) => !base.has(name));
  if (missing) throw otherBase(`it changes ${missing}`);
  return {
    shapes: new Map(names.map((name) => [name, base.shape(name)])),
    async load(name) {
      const [a, b] = factorNames(name).map((factor) => factors.get(factor)!);
      return mergeLora(await base.read(name), a!, b!, alpha / rank);
    },
  };
}
