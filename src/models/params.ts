import type { Shape, Value } from '../onnx/graph';

/** Where a weight comes from: state-dict key and shape → Value. Adapters (LoRA, deltas) wrap one Params in another. */
export type Params = (name: string, shape: Shape) => Value;

/** Observe or replace an activation; `name` is its diffusers module path (e.g. '….attn2.probs'). */
export type Tap = (name: string, value: Value) => Value;

export const noTap: Tap = (_, value) => value;
