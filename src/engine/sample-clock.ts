import { SAMPLE_STEPS } from './concept-sample';
import { PreviewBudget } from './preview-budget';

/** Share of the steps' time that samples may take; checkpoints take a hundredth more, drawing them a little. */
const SHARE = 0.03;

/**
 * When a run shows what it has learned: as often as is affordable, and, ahead of that, once about halfway and at a pause
 * where nothing is owed. The whole of a Balanced run pays for both.
 */
export class SampleClock {
  readonly #steps: number;
  #budget: PreviewBudget | null = null;
  /** steps done at the latest sample */
  #latest = 0;

  /** @param steps  of the run */
  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Account for one step. @param ms  duration */
  step(ms: number): void {
    // until the first one is timed: two passes forward of each sampler step, a third of a training step each
    this.#budget ??= new PreviewBudget(SAMPLE_STEPS * ms, SHARE);
    this.#budget.step(ms);
  }

  /** Account for a sample. @param ms  what it took */
  shown(done: number, ms: number): void {
    this.#latest = done;
    this.#budget?.decoded(ms);
  }

  /** @param asked  a person pauses: then is the time to look */
  due(done: number, asked: boolean): boolean {
    const budget = this.#budget;
    if (!budget || done >= this.#steps) return false;
    const halfway = 2 * done >= this.#steps && 4 * this.#latest < this.#steps;
    return halfway || budget.affordsDecode || (asked && budget.spent <= SHARE);
  }
}
