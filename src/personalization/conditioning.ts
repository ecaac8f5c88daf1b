/** Prompts as feeds of a training step. */

import type { ModelParts } from '../diffusion/model';
import { createTextEncoder, tokenRows } from '../diffusion/text-encoder';
import type { Tokenizer } from '../diffusion/tokenizer';
import { TOKEN_TABLE } from '../models/clip-text';
import type { Arrays } from '../runtime/session';
import { memoizePromise } from '../util/async';
import { type NdArray, stack, zeros } from '../util/nd-array';

export interface Conditioning {
  /** feeds for the prompts of a step */
  feeds(prompts: readonly string[]): Promise<Arrays>;
  dispose(): Promise<void>;
}

/** Text states of a frozen text encoder, each prompt encoded once. */
export function frozenText({ textEncoder, tokenizer }: ModelParts): Conditioning {
  const encoder = createTextEncoder(textEncoder.config, textEncoder.weights, tokenizer, textEncoder.learned);
  const embed = memoizePromise((prompt: string) => encoder.embed(prompt));
  return {
    feeds: async (prompts) => ({ encoder_hidden_states: stack(await Promise.all(prompts.map(embed))) }),
    dispose: () => encoder.dispose(),
  };
}

/** Token embeddings for a text encoder that is part of the graph; learned tokens are left to `placement`. */
export async function trainedText(
  { textEncoder }: ModelParts,
  tokenizer: Tokenizer,
  vectors: number,
): Promise<Conditioning> {
  const { width } = textEncoder.config;
  const row = tokenRows(
    await textEncoder.weights.read(TOKEN_TABLE),
    tokenizer.vocabSize,
    zeros([vectors, width]),
  );
  const encode = (prompt: string): { embeddings: NdArray; placement: NdArray } => {
    const { ids } = tokenizer.encode(prompt);
    const embeddings = zeros([1, ids.length, width]);
    const placement = zeros([1, ids.length, vectors]);
    ids.forEach((id, i) => {
      embeddings.data.set(row(id), i * width);
      if (id >= tokenizer.vocabSize) placement.data[i * vectors + id - tokenizer.vocabSize] = 1;
    });
    return { embeddings, placement };
  };
  return {
    async feeds(prompts) {
      const encoded = prompts.map(encode);
      return {
        embeddings: stack(encoded.map(({ embeddings }) => embeddings)),
        ...(vectors > 0 && { placement: stack(encoded.map(({ placement }) => placement)) }),
      };
    },
    dispose: async () => {},
  };
}
