import type { Attrs, Graph, Value } from '../onnx/graph';

export interface VjpArgs {
  readonly g: Graph;
  /** inputs of the node */
  readonly x: readonly Value[];
  /** first output of the node, and its cotangent d loss / d y */
  readonly y: Value;
  readonly dy: Value;
  /** all outputs and their cotangents (undefined: the loss does not depend on that output); dy is zero-filled when only later outputs matter */
  readonly ys: readonly Value[];
  readonly dys: readonly (Value | undefined)[];
  readonly attrs: Attrs;
}

/**
 * Vector-Jacobian product of one op: appends the nodes for the cotangents of its inputs (null: not differentiable).
 * A rule returns every cotangent, needed or not (pruning drops the rest), and may return it with the output's broadcast
 * shape: the engine sums it back. It uses standard ops that ORT places on WebGPU: no Sign, no int64 arithmetic.
 */
export type Vjp = (args: VjpArgs) => readonly (Value | null)[];

export const ints = (attrs: Attrs, name: string): readonly number[] => attrs[name] as readonly number[];
export const int = (attrs: Attrs, name: string): number => attrs[name] as number;
export const float = (attrs: Attrs, name: string): number => (attrs[name] as { float: number }).float;
