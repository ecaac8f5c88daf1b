/** Weight of the past in the smoothed loss. */
const memory = 0.96;

/** Changes below this share are chance: every step draws its own noise. */
const noise = 0.15;

/** Loss by step, raw and smoothed, for a chart: too many and too often for a store. */
export interface LossLog {
  readonly steps: readonly number[];
  readonly raw: readonly number[];
  /** exponential mean, corrected for its start: early on the plain mean of what there is */
  readonly smooth: readonly number[];
  add(step: number, loss: number): void;
  clear(): void;
}

export function createLossLog(): LossLog {
  const steps: number[] = [];
  const raw: number[] = [];
  const smooth: number[] = [];
  let [sum, weight] = [0, 0];
  return {
    steps,
    raw,
    smooth,
    add(step, loss) {
      if (!Number.isFinite(loss)) return;
      sum = memory * sum + (1 - memory) * loss;
      weight = memory * weight + (1 - memory);
      steps.push(step);
      raw.push(loss);
      smooth.push(sum / weight);
    },
    clear() {
      for (const list of [steps, raw, smooth]) list.length = 0;
      [sum, weight] = [0, 0];
    },
  };
}

/** Of the run that is shown. */
export const lossLog = createLossLog();

type Course = 'about as at the start' | 'falling' | 'rising';

/** How far it went since the first ten steps, a single one says little; null before there are more. */
export function courseOf({ smooth }: LossLog): { readonly start: number; readonly words: Course } | null {
  if (smooth.length <= 10) return null;
  const start = smooth[9]!;
  const change = (smooth.at(-1)! - start) / start;
  return {
    start,
    words: Math.abs(change) < noise ? 'about as at the start' : change < 0 ? 'falling' : 'rising',
  };
}

/** The course of the loss in words; null before there is one. */
export function lossSummary(log: LossLog): string | null {
  const { steps, raw, smooth } = log;
  const last = steps.length - 1;
  if (last < 0) return null;
  const of = (value: number): string => value.toPrecision(3);
  const now = `Loss at step ${steps[last]}: ${of(raw[last]!)}`;
  const course = courseOf(log);
  if (!course) return `${now}.`;
  const { start, words } = course;
  const since = words === 'about as at the start' ? `${words}, ${of(start)}` : `${words} from ${of(start)}`;
  return `${now}, smoothed ${of(smooth[last]!)}: ${since}.`;
}
