/** Arrays of equal length: a weight's tensors on the host. */
export type Slots<T> = Readonly<Record<string, T>>;

/**
 * An update rule, for where the weights are: as the middle of a compute shader (WebGPU), or as a loop over host memory
 * (CPU backends). Both go over all values once and change them in place. The same tests hold both to PyTorch's numbers.
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
  /**
   * Statements in WGSL on one value of everything, in float32: they assign to `weight` and to the slots by their names,
   * and may read `gradient` and the scalars by theirs.
   */
  readonly wgsl: string;
  /** Memory for `size` values on the host and the rule over it. @throws AppError OUT_OF_MEMORY */
  host(size: number): HostMemory;
}

/** Weights, gradients and slots on the host, all of one length, zero at first. */
export interface HostMemory {
  readonly weights: Float32Array;
  readonly gradients: Float32Array;
  readonly slots: Slots<Float32Array>;
  /** Sum of the gradients' squares, in double precision. */
  squares(): number;
  /** Change weights and slots in place; gradients count `factor` times. */
  apply(factor: number, scalars: Slots<number>): void;
}
