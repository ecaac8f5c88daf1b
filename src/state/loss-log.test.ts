import { expect, test } from 'vitest';
import { createLossLog, lossSummary } from './loss-log';

test('the smoothed loss is the mean at first and follows later', () => {
  const log = createLossLog();
  expect(lossSummary(log)).toBeNull();
  log.add(1, 4);
  log.add(2, 2);
  expect(log.smooth[0]).toBe(4);
  expect(log.smooth[1]).toBeCloseTo(2.98, 2);
  for (let step = 3; step <= 200; step++) log.add(step, 1);
  expect(log.smooth.at(-1)).toBeCloseTo(1, 2);
  log.add(201, Number.NaN);
  expect(log.steps).toHaveLength(200);
  expect(lossSummary(log)).toMatch(/^Loss at step 200: 1\.00, smoothed 1\.00: falling from 1\.\d\d\.$/);
  log.clear();
  expect(log.raw).toEqual([]);
});
