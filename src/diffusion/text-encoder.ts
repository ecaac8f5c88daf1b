import type { ClipTextConfig } from '../models/clip-config';
import { clipText, TOKEN_TABLE } from '../models/clip-text';
import { fromInputs } from '../models/params';
import { Graph } from '../onnx/graph';
import { compile } from '../runtime/session';
import type { WeightStore } from '../runtime/weights';
import { memoizePromise } from '../util/async';
import { type NdArray, sizeOf } from '../util/nd-array';
import type { Tokenizer } from './tokenizer';

/** Prompts → the states that a UNet is conditioned on. */
export interface TextEncoder {
  /** [1,L,D]; words beyond the model's length are dropped (`tokenizer.encode(…).truncated` tells) */
  embed(prompt: string): Promise<NdArray>;
  dispose(): Promise<void>;
}

export function createTextEncoder(
  config: ClipTextConfig,
  weights: WeightStore,
  tokenizer: Tokenizer,
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
  return {
    async embed(prompt) {
      const { program, table } = await start('program');
      const { ids } = tokenizer.encode(prompt);
      const { states } = await program.run({ embeddings: gather(table, ids) });
      return states!;
    },
    async dispose() {
      await (await start('program')).program.dispose();
    },
  };
}

/** Rows of a table [V,D] → [1,L,D]. */
function gather(table: NdArray, ids: readonly number[]): NdArray {
  const width = sizeOf(table.shape.slice(1));
  const data = new Float32Array(ids.length * width);
  ids.forEach((id, row) => {
    data.set(table.data.subarray(id * width, (id + 1) * width), row * width);
  });
  return { data, shape: [1, ids.length, width] };
}
