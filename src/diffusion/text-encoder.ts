import type { ClipTextConfig } from '../models/clip-config';
import { clipText, TOKEN_TABLE } from '../models/clip-text';
import { fromInputs } from '../models/params';
import { Graph } from '../onnx/graph';
import { compile } from '../runtime/session';
import type { WeightStore } from '../runtime/weights';
import { memoizePromise } from '../util/async';
import { AppError } from '../util/errors';
import { type NdArray, sizeOf } from '../util/nd-array';
import type { Tokenizer } from './tokenizer';

/** Prompts → the states that a UNet is conditioned on. */
export interface TextEncoder {
  /** [1,L,D]; words beyond the model's length are dropped (`tokenizer.encode(…).truncated` tells) */
  embed(prompt: string): Promise<NdArray>;
  /** The same network, reading other words; disposed of with this one. */
  with(words: Words): Pick<TextEncoder, 'embed'>;
  dispose(): Promise<void>;
}

/** A tokenizer, and rows [n,D] of its placeholders, which have the ids after its vocabulary. */
export interface Words {
  readonly tokenizer: Tokenizer;
  readonly learned?: NdArray;
}

export function createTextEncoder(
  config: ClipTextConfig,
  weights: WeightStore,
  tokenizer: Tokenizer,
  learned?: NdArray,
): TextEncoder {
  const length = tokenizer.modelMaxLength;
  const start = memoizePromise(async (_: 'program') => {
    const g = new Graph();
    const embeddings = g.feed('embeddings', [1, length, config.width]);
    const { lastHiddenState } = clipText(g, fromInputs(g, weights.dtype), { embeddings }, config, {
      dtype: weights.dtype,
    });
    const program = await compile(g, { states: lastHiddenState }, weights, { label: 'text encoder' });
    return { program, table: await weights.read(TOKEN_TABLE) };
  });
  const reader = (words: Words): Pick<TextEncoder, 'embed'> => ({
    async embed(prompt) {
      const { program, table } = await start('program');
      const row = tokenRows(table, words.tokenizer.vocabSize, words.learned);
      const { ids } = words.tokenizer.encode(prompt);
      const { states } = await program.run({
        embeddings: stack(ids.map(row), [1, ids.length, config.width]),
      });
      return states!;
    },
  });
  return {
    ...reader({ tokenizer, ...(learned && { learned }) }),
    with: reader,
    async dispose() {
      for (const { program } of await start.loaded()) await program.dispose();
    },
  };
}

/**
 * The row [D] of each token id: from the table [V,D], or after the vocabulary from the learned ones.
 *
 * @throws AppError SHAPE for an id without a row
 */
export function tokenRows(
  table: NdArray,
  vocabSize: number,
  learned?: NdArray,
): (id: number) => Float32Array {
  const width = table.shape[1]!;
  return (id) => {
    const [{ data }, at] = learned && id >= vocabSize ? [learned, id - vocabSize] : [table, id];
    const row = data.subarray(at * width, (at + 1) * width);
    if (row.length !== width)
      throw new AppError('SHAPE', `token ${id} has no row of ${width} values`, { id });
    return row;
  };
}

function stack(rows: readonly Float32Array[], shape: readonly number[]): NdArray {
  const data = new Float32Array(sizeOf(shape));
  rows.forEach((row, i) => {
    data.set(row, i * row.length);
  });
  return { data, shape };
}
