import { expect, test } from 'vitest';
import { roughly, seconds, stepTimer } from './time-left';

/** Estimates after each step of the given durations, ms. */
function estimates(durations: readonly number[], total: number): (number | null)[] {
  const timer = stepTimer();
  let now = 0;
  return durations.map((ms, i) => {
    now += ms;
    return timer.step(i + 1, total, now);
  });
}

test('no estimate before five timed steps, then the median of recent ones times what remains', () => {
  const [a, b, c, d, e, f, g] = estimates([900, 100, 110, 90, 100, 105, 95], 60);
  expect([a, b, c, d, e]).toEqual([null, null, null, null, null]);
  expect(f).toBeCloseTo(0.1 * 54);
  expect(g).toBeCloseTo(0.1 * 53);
});

test('one slow step does not move the estimate', () => {
  const durations = Array.from({ length: 20 }, (_, i) => (i === 11 ? 8000 : 100));
  expect(estimates(durations, 30).at(-1)).toBeCloseTo(1);
});

test.each([
  [0.2, '1 s', '1 s'],
  [59.4, '59 s', '59 s'],
  [60, '1 min 0 s', '1 min'],
  [135, '2 min 15 s', '2 min'],
])('%d s reads %s, and from afar %s', (s, text, rough) => {
  expect(seconds(s)).toBe(text);
  expect(roughly(s)).toBe(rough);
});
