import type { DType, Graph, Shape, Value } from '../onnx/graph';

/** Where a weight comes from: state-dict key and shape → Value. Adapters (LoRA, deltas) wrap one Params in another. */
export type Params = (name: string, shape: Shape) => Value;

/** Observe or replace an activation; `name` is its diffusers module path (e.g. '….attn2.probs'). */
export type Tap = (name: string, value: Value) => Value;

export const noTap: Tap = (_, value) => value;

/** Every weight is an input of the graph under its own name. */
export const fromInputs =
  (g: Graph, dtype: DType = 'float32'): Params =>
  (name, shape) =>
    g.weight(name, shape, dtype);

/** Choices that are not part of a model's config. */
export interface BuildOptions {
  readonly tap?: Tap;
  /** dtype of activations; float16 keeps norm statistics and softmax in float32. Inputs and outputs stay float32. Default float32. */
  readonly dtype?: 'float32' | 'float16';
  /** compute attention for this many query rows at a time (less memory, same numbers); probability taps then see nothing. Default: all */
  readonly attentionTile?: number;
}

/** What every layer function needs: the graph it appends to, where weights come from, who watches. */
export interface Net {
  readonly g: Graph;
  readonly params: Params;
  readonly tap: Tap;
  readonly attentionTile?: number;
}
