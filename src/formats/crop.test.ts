import { expect, test } from 'vitest';
import { squareIn } from './crop';

const photo = { width: 4032, height: 3024 };

test('a square lies in a smaller picture of the same scene where it lies in the photo', () => {
  const mask = { width: 1024, height: 768 };
  expect(squareIn({ x: 2016, y: 1512, size: 1512 }, photo, mask)).toEqual({ x: 512, y: 384, size: 384 });
  expect(squareIn({ x: 1008, y: 0, size: 3024 }, photo, mask)).toEqual({ x: 256, y: 0, size: 768 });
});

test('at the same size it is the same square, and rounding never leaves the picture', () => {
  const square = { x: 17, y: 3, size: 101 };
  expect(squareIn(square, photo, photo)).toEqual(square);
  for (const width of [7, 100, 999, 1001]) {
    const height = Math.round((width * photo.height) / photo.width);
    for (const at of [
      { x: 4000, y: 2990, size: 32 },
      { x: 1008, y: 0, size: 3024 },
    ]) {
      const { x, y, size } = squareIn(at, photo, { width, height });
      expect(size).toBeGreaterThan(0);
      expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
      expect(x + size <= width && y + size <= height).toBe(true);
    }
  }
});
