import { AppError } from '../../src/util/errors';
import { readImage, writeImage } from '../images';
import type { EvalData, EvalPair } from './data';
import type { Lab } from './lab';
import { makeEdit } from './make-edit';
import { type Instruments, measureEdit } from './measure';
import { type Override, type Recommended, resolveOptions } from './settings';
import { keyOf, type Line, type Run, type Store } from './store';
import { type Method, VARIANTS, type VariantName } from './variants';

/** What to run over a set: every method × variant × pair × seed. */
export interface Plan {
  readonly methods: readonly Method[];
  readonly variants: readonly VariantName[];
  readonly pairs: readonly EvalPair[];
  readonly seeds: readonly number[];
  readonly overrides: readonly Override[];
}

/** Pair by pair, so that an interrupted evaluation has whole comparisons. @throws AppError BAD_REQUEST */
export function planRuns(recommended: Recommended, plan: Plan): Run[] {
  const options = (method: Method, variant: VariantName) =>
    resolveOptions(recommended, method, VARIANTS[variant], plan.overrides);
  return plan.seeds.flatMap((seed) =>
    plan.pairs.flatMap(({ id, concept }) =>
      plan.methods.flatMap((method) =>
        plan.variants.map((variant) => ({
          pair: id,
          concept,
          method,
          variant,
          seed,
          options: options(method, variant),
        })),
      ),
    ),
  );
}

/** Name of a run's result: everything that decides its picture. */
export const runKey = (lab: Pick<Lab, 'hash'>, data: EvalData, run: Run): string =>
  keyOf([lab.hash, data.set, data.seed, run.pair, run.method, run.variant, run.seed, run.options]);

export interface Outcome {
  readonly lines: readonly Line[];
  /** runs that could not be made, e.g. because numbers overflowed, and why */
  readonly failures: readonly { readonly run: Run; readonly why: string }[];
}

/**
 * Make and measure what the store does not have yet. What it has is measured again where instruments were added.
 *
 * @param say  told of every run
 */
export async function executeRuns(
  lab: Lab,
  data: EvalData,
  store: Store,
  instruments: Instruments,
  runs: readonly Run[],
  say: (text: string) => void,
): Promise<Outcome> {
  const lines: Line[] = [];
  const failures: { run: Run; why: string }[] = [];
  const missing = runs.filter((run) => !store.lines.has(runKey(lab, data, run))).length;
  const started = performance.now();
  let made = 0;
  for (const run of runs) {
    const key = runKey(lab, data, run);
    const known = store.lines.get(key);
    const pair = data.pairs.find(({ id }) => id === run.pair)!;
    if (known) {
      lines.push(await completed(data, store, instruments, known, pair));
      continue;
    }
    try {
      const { pixels, seconds } = await makeEdit(lab, data, store, run);
      await writeImage(store.picturePath(key), pixels, 'png');
      const metrics = await measureEdit(data, pair, pixels, instruments);
      const line = { key, ...run, metrics, seconds };
      await store.add(line);
      lines.push(line);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'NUMERIC') throw error;
      failures.push({ run, why: error.message });
    }
    made++;
    const left = ((performance.now() - started) / made) * (missing - made);
    say(
      `${made} of ${missing}: ${run.pair} ${run.method} ${run.variant}, about ${duration(left / 1000)} left`,
    );
  }
  return { lines, failures };
}

/** A line with the numbers of instruments that it was made without. */
async function completed(
  data: EvalData,
  store: Store,
  instruments: Instruments,
  line: Line,
  pair: EvalPair,
): Promise<Line> {
  const wanted = [...instruments.towers.keys(), ...instruments.lpips.keys()];
  if (wanted.every((name) => name in line.metrics)) return line;
  const metrics = await measureEdit(data, pair, await readImage(store.picturePath(line.key)), instruments);
  const complete = { ...line, metrics };
  await store.add(complete);
  return complete;
}

/** 95 → '2 min' */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
