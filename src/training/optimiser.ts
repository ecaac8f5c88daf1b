import type { Arithmetic } from './arithmetic';

/**
 * An update rule, written once and run wherever the weights are.
 * `Slot`: a tensor kept beside each weight (a moment), zero at first. `Scalar`: a number that changes from step to step.
 */
export interface Optimiser<Slot extends string = string, Scalar extends string = string> {
  readonly slots: readonly Slot[];
  readonly scalars: readonly Scalar[];
  /**
   * Scalars of a step.
   *
   * @param count  steps applied so far, this one included: 1, 2, …
   * @param lr     learning rate of this step
   */
  schedule(count: number, lr: number): Readonly<Record<Scalar, number>>;
  /** The next weight and slots from this step's gradient. */
  update<T>(
    a: Arithmetic<T>,
    weight: T,
    gradient: T,
    slots: Readonly<Record<Slot, T>>,
    scalars: Readonly<Record<Scalar, T>>,
  ): { readonly weight: T } & Readonly<Record<'slots', Readonly<Record<Slot, T>>>>;
}
