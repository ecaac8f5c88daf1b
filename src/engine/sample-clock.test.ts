import { expect, test } from 'vitest';
import { SampleClock } from './sample-clock';

/** A run of steps of 10 ms and samples of 50 ms: where there were samples, and their share of the steps' time. */
function run(steps: number, pauses: readonly number[] = []) {
  const clock = new SampleClock(steps);
  const at: number[] = [];
  for (let done = 1; done <= steps; done++) {
    clock.step(10);
    if (!clock.due(done, pauses.includes(done))) continue;
    clock.shown(done, 50);
    at.push(done);
  }
  return { at, share: (50 * at.length) / (10 * steps) };
}

test('a short run has its sample halfway, a long one as many as it affords', () => {
  expect(run(252).at).toEqual([126]);
  const { at, share } = run(600);
  expect(at).toEqual([267, 334, 500]);
  expect(share).toBeLessThanOrEqual(0.03);
});

test('a pause shows a sample, the next one only when that is paid; the middle has its own', () => {
  expect(run(252, [6, 20, 100]).at).toEqual([6, 126]);
  const { at, share } = run(600, [6, 20, 599]);
  expect(at[0]).toBe(6);
  expect(at).not.toContain(20);
  expect(share).toBeLessThanOrEqual(0.04);
});
