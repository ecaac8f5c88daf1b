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

/** 8 → '8 s', 75 → '1 min 15 s' */
export function seconds(s: number): string {
  const whole = Math.max(1, Math.round(s));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** For what lies ahead and is known roughly: 8 → '8 s', 75 → '1 min', 500 → '8 min' */
export const roughly = (s: number): string =>
  s < 60 ? `${Math.max(1, Math.round(s))} s` : `${Math.round(s / 60)} min`;
