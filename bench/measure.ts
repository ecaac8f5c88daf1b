/** One line of a bench's table. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ms' | '×' | '%' | 'MB' | 'kB';
  /** what `value` must not exceed */
  readonly target?: number;
  /** how far `value` may be from 0, either way; neither this nor `target`: for the record */
  readonly within?: number;
  readonly note?: string;
}

/** A bench gives its measurements, or says in one line why it cannot run here. */
export type Bench = () => Promise<readonly Measurement[] | { readonly skipped: string }>;

/** Does `runs` runs and gives the milliseconds of each. */
export type Contender = (runs: number) => Promise<readonly number[]>;

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
};

/** Does one thing again and again. */
export const timed = (once: () => Promise<unknown>): Contender => {
  return async (runs) => {
    const times: number[] = [];
    for (let i = 0; i < runs; i++) {
      const from = performance.now();
      await once();
      times.push(performance.now() - from);
    }
    return times;
  };
};

/**
 * Let contenders take turns, so that whatever else the machine does hits all of them, and give each one's median.
 * The first turn warms up and is not counted.
 */
export async function takeTurns<Name extends string>(
  contenders: Readonly<Record<Name, Contender>>,
  { turns = 9, runs = 4 } = {},
): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let turn = 0; turn <= turns; turn++) {
    for (const name of names) {
      const measured = await contenders[name](runs);
      if (turn > 0) times[name].push(...measured);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(times[name])])) as Record<Name, number>;
}
