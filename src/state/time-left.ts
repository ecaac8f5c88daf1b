/** Steps timed before an estimate is shown: the first ones compile and warm up. */
const warmUp = 5;

/** Collects step times; `secondsLeft` is the median of the recent ones times the steps that remain. */
export interface StepTimer {
  /** Call when step `index` of `total` (from 1) is done. @param now ms */
  step(index: number, total: number, now: number): number | null;
}

export function stepTimer(): StepTimer {
  const durations: number[] = [];
  let last: number | null = null;
  return {
    step(index, total, now) {
      if (last !== null) durations.push(now - last);
      last = now;
      if (durations.length < warmUp) return null;
      const recent = durations.slice(-15).sort((a, b) => a - b);
      return (recent[recent.length >> 1]! * (total - index)) / 1000;
    },
  };
}
