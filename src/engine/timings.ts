/** Adds up how long things take. */
export class Timings {
  readonly #ms: Record<string, number>;
  readonly #steps: number[] = [];

  constructor(known: Readonly<Record<string, number>>) {
    this.#ms = { ...known };
  }

  /** Do some work. @returns its value and how many ms it took */
  async of<T>(name: string, work: () => Promise<T>): Promise<readonly [value: T, ms: number]> {
    const from = performance.now();
    const value = await work();
    const ms = performance.now() - from;
    this.#ms[name] = (this.#ms[name] ?? 0) + ms;
    return [value, ms];
  }

  step(ms: number): void {
    this.#steps.push(ms);
  }

  /** ms by name; the median of the steps as `stepMedian` */
  get all(): Readonly<Record<string, number>> {
    const stepMedian = this.#steps.toSorted((a, b) => a - b)[this.#steps.length >> 1] ?? 0;
    return { ...this.#ms, stepMedian };
  }
}
