import type { Graph, Value } from '../onnx/graph';

/** Arrays of equal length: a weight's tensors on the host. */
export type Slots<T> = Readonly<Record<string, T>>;

/**
 * An update rule, for where the weights are: as nodes of the step's graph (WebGPU), or in place over host memory in one
 * pass (CPU backends; several times faster there than a pass per operation, and nothing is copied). The same tests hold
 * both to PyTorch's numbers.
 */
export interface Optimiser {
  /** names of the tensors kept beside each weight (moments), zero at first */
  readonly slots: readonly string[];
  /** names of the numbers that change from step to step */
  readonly scalars: readonly string[];
  /**
   * Those numbers.
   *
   * @param count  steps applied so far, this one included: 1, 2, …
   * @param lr     learning rate of this step
   */
  schedule(count: number, lr: number): Slots<number>;
  /** Append the next weight and slots. Scalars are [1]. */
  append(
    g: Graph,
    weight: Value,
    gradient: Value,
    slots: Slots<Value>,
    scalars: Slots<Value>,
  ): { readonly weight: Value; readonly slots: Slots<Value> };
  /** Change weight and slots in place; the gradient counts `factor` times. */
  apply(
    weight: Float32Array,
    gradient: Float32Array,
    factor: number,
    slots: Slots<Float32Array>,
    scalars: Slots<number>,
  ): void;
}
