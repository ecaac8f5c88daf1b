/** Decides when a full decode may be shown: previews in all may cost at most `share` of the time spent on steps. */
export class PreviewBudget {
  readonly #share: number;
  /** ms of the latest decode */
  #decode: number;
  #steps = 0;
  #previews = 0;

  /** @param decodeMs  what a decode takes, measured before the first step */
  constructor(decodeMs: number, share = 0.05) {
    this.#decode = decodeMs;
    this.#share = share;
  }

  /** Account for one step. @param ms  duration */
  step(ms: number): void {
    this.#steps += ms;
  }

  /** Account for one preview of any kind. */
  preview(ms: number): void {
    this.#previews += ms;
  }

  /** Account for a full decode. */
  decoded(ms: number): void {
    this.#decode = ms;
    this.preview(ms);
  }

  /** True when one more full decode stays within the share. */
  get affordsDecode(): boolean {
    return this.#previews + this.#decode <= this.#share * this.#steps;
  }

  /** Share of step time that previews took so far, in [0, ∞). */
  get spent(): number {
    return this.#steps === 0 ? 0 : this.#previews / this.#steps;
  }
}
