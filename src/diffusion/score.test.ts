import { expect, test } from 'vitest';
import { createTorchRng } from '../util/random';
import { createSchedule } from './schedule';
import { drawScore } from './score';

const schedule = createSchedule();

test('timesteps fill the range, its end left out', () => {
  const rng = createTorchRng(3);
  const drawn = Array.from(
    { length: 20_000 },
    () => drawScore(rng, schedule, [1], { tMin: 50, tMax: 949 }).t,
  );
  expect(Math.min(...drawn)).toBe(50);
  expect(Math.max(...drawn)).toBe(948);
  expect(drawn.reduce((a, b) => a + b) / drawn.length).toBeCloseTo(499, -1);
});

test('the timestep is drawn first, then the noise: the order of the reference code', () => {
  const draw = drawScore(createTorchRng(5), schedule, [1, 4, 8, 8], { tMin: 50, tMax: 949 });
  const rng = createTorchRng(5);
  expect(draw.t).toBe(rng.randint(50, 949, 1)[0]);
  expect(draw.noise).toEqual({ data: rng.randn(256), shape: [1, 4, 8, 8] });
  expect(draw.weight).toBe(1);
});

test('the variance weight is 1 − ᾱ_t', () => {
  const { t, weight } = drawScore(createTorchRng(5), schedule, [1], {
    tMin: 50,
    tMax: 949,
    weight: 'variance',
  });
  expect(weight).toBeCloseTo(1 - schedule.alphasCumprod[t]!, 12);
});
