/** Concepts on top of a base that stays loaded: only what differs is written, so that changing concepts takes milliseconds. */
import type { WeightStore } from '../runtime/weights';
import { memoizePromise } from '../util/async';
import type { NdArray } from '../util/nd-array';
import { createDenoiser, type Denoiser, type DenoiserOptions } from './denoiser';
import type { ModelParts } from './model';
import { createTextEncoder, type TextEncoder, type Words } from './text-encoder';

/** A weight of the base → the weight with the concept. */
export type WeightMap = ReadonlyMap<string, (weight: NdArray) => NdArray>;

/** What a concept changes in its base; names and shapes are the base's. */
export interface Changes {
  /** learned words and their rows [n,D] */
  readonly tokens: readonly { readonly token: string; readonly vectors: NdArray }[];
  readonly unet: WeightMap;
  readonly textEncoder: WeightMap;
}

/** One set of changes on top of another: words of both, weights changed by the one below first. */
export function stacked(below: Changes, above: Changes): Changes {
  const both = (a: WeightMap, b: WeightMap): WeightMap => {
    const onTop = [...b].map(([name, change]) => {
      const first = a.get(name);
      return [name, first ? (weight: NdArray) => change(first(weight)) : change] as const;
    });
    return new Map([...a, ...onTop]);
  };
  return {
    tokens: [...below.tokens, ...above.tokens],
    unet: both(below.unet, above.unet),
    textEncoder: both(below.textEncoder, above.textEncoder),
  };
}

/** The tokenizer and rows of a base with learned words. */
export function wordsOf({ tokenizer }: Pick<ModelParts, 'tokenizer'>, tokens: Changes['tokens']): Words {
  if (tokens.length === 0) return { tokenizer };
  const width = tokens[0]!.vectors.shape[1]!;
  const data = Float32Array.from(tokens.flatMap(({ vectors }) => [...vectors.data]));
  return {
    tokenizer: tokenizer.withPlaceholders(
      tokens.map(({ token, vectors }) => ({ token, vectors: vectors.shape[0]! })),
    ),
    learned: { data, shape: [data.length / width, width] },
  };
}

/** What most concepts change in a UNet. Others take a network of which every weight can be exchanged. */
const ATTENTION = /\.attn[12]\.(to_[qkv]|to_out\.0)\.(weight|bias)$/;

/** The networks of a base with the concept of the moment in them. */
export interface Personaliser {
  /**
   * Put a concept in the place of the one before. What the concept leaves alone is the base's own network.
   *
   * @returns null where the concept does not change the network
   */
  apply(
    changes: Changes,
  ): Promise<{ readonly unet: Denoiser | null; readonly text: Pick<TextEncoder, 'embed'> | null }>;
  dispose(): Promise<void>;
}

export function createPersonaliser(parts: ModelParts, options: DenoiserOptions): Personaliser {
  const { unet, textEncoder } = parts;
  const opened: { dispose(): Promise<void> }[] = [];
  const own = <T>(network: T & { dispose(): Promise<void> }, slot: Slot) => {
    opened.push(network, { dispose: async () => slot.store.dispose() });
    return { network, slot };
  };
  const unets = memoizePromise(async (kind: 'attention' | 'all') => {
    const slot = new Slot(unet.weights, kind === 'attention' ? ATTENTION : /./);
    return own(createDenoiser(unet.config, slot.store, options), slot);
  });
  const texts = memoizePromise(async (_: 'text') => {
    const slot = new Slot(textEncoder.weights, /./);
    return own(createTextEncoder(textEncoder.config, slot.store, parts.tokenizer), slot);
  });
  return {
    async apply({ unet: weights, textEncoder: text, tokens }) {
      const kind = [...weights.keys()].every((name) => ATTENTION.test(name)) ? 'attention' : 'all';
      const changed = weights.size > 0 ? await unets(kind) : null;
      const read = text.size > 0 ? await texts('text') : null;
      await changed?.slot.load(weights);
      await read?.slot.load(text);
      return { unet: changed?.network ?? null, text: read?.network.with(wordsOf(parts, tokens)) ?? null };
    },
    async dispose() {
      for (const each of opened) await each.dispose();
    },
  };
}

/** A store over a base whose named weights are exchanged in place, so that compiled programs see them. */
class Slot {
  readonly store: WeightStore;
  readonly #original: (name: string) => Promise<NdArray>;
  #changed: ReadonlySet<string> = new Set();

  constructor(base: WeightStore, names: RegExp) {
    const shapes = new Map(
      [...base.names].filter((name) => names.test(name)).map((name) => [name, base.shape(name)]),
    );
    // CPU backends drop a weight once it is a constant of a program: reading it again would open the file again
    const read = (name: string): Promise<NdArray> => base.read(name);
    this.#original = base.backend.device ? read : memoizePromise(read);
    this.store = base.overlay({ shapes, load: this.#original }, `${base.label} with a concept`);
  }

  async load(weights: WeightMap): Promise<void> {
    const stale = [...this.#changed].filter((name) => !weights.has(name));
    this.#changed = new Set(weights.keys());
    for (const name of stale) await this.store.update(name, await this.#original(name));
    for (const [name, change] of weights) await this.store.update(name, change(await this.#original(name)));
  }
}
