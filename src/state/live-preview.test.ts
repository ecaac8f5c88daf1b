import { expect, test } from 'vitest';
import type { Pixels } from '../util/pixels';
import { livePreview } from './live-preview';

const pixels = (side: number, value: (x: number, y: number) => number): Pixels => {
  const data = new Uint8ClampedArray(4 * side * side);
  for (let i = 0; i < side * side; i++) {
    data.fill(value(i % side, Math.floor(i / side)), 4 * i, 4 * i + 3);
    data[4 * i + 3] = 255;
  }
  return { data, width: side, height: side };
};
const sharp = pixels(8, (x, y) => 100 + 5 * x + y);

test('while nothing changes the sharp picture stays as it is', () => {
  const show = livePreview(sharp);
  const look = pixels(2, (x) => 80 + 10 * x);
  expect(show(look, 'linear').data).toEqual(sharp.data);
  expect(show(look, 'linear').data).toEqual(sharp.data);
});

test('a change of latent resolution is laid over the sharp picture, where it happened', () => {
  const show = livePreview(sharp);
  show(
    pixels(2, () => 50),
    'linear',
  );
  const shown = show(
    pixels(2, (x) => 50 + 40 * x),
    'linear',
  );
  const change = (x: number): number => shown.data[4 * x]! - sharp.data[4 * x]!;
  expect([change(0), change(7)]).toEqual([0, 40]);
  expect(change(3)).toBeGreaterThan(0);
  expect(change(4)).toBeGreaterThan(change(3));
  expect(shown.data[3]).toBe(255);
});

test('a decoded picture is shown as it is, and later changes count from it', () => {
  const show = livePreview(sharp);
  const flat = (value: number) => pixels(2, () => value);
  show(flat(50), 'linear');
  show(flat(90), 'linear');
  const decoded = pixels(4, () => 10);
  expect(show(decoded, 'decoded')).toBe(decoded);
  expect(show(flat(90), 'linear').data).toEqual(decoded.data);
  expect(show(flat(95), 'linear').data[0]).toBe(15);
});
