import { expect, test } from 'vitest';
import { type Pixels, tiled } from './pixels';

const plain = (grey: number): Pixels => ({
  data: new Uint8ClampedArray(4 * 2 * 3).fill(grey),
  width: 2,
  height: 3,
});
/** one value per pixel of a row */
const row = ({ data, width }: Pixels, y: number): number[] =>
  Array.from({ length: width }, (_, x) => data[4 * (y * width + x)]!);

test('pictures lie side by side, row by row, and what is left is empty', () => {
  const grid = tiled([plain(10), plain(20), plain(30)]);
  expect([grid.width, grid.height]).toEqual([4, 6]);
  expect(row(grid, 0)).toEqual([10, 10, 20, 20]);
  expect(row(grid, 2)).toEqual([10, 10, 20, 20]);
  expect(row(grid, 5)).toEqual([30, 30, 0, 0]);
});

test('one picture is itself', () => {
  expect(tiled([plain(7)])).toEqual(plain(7));
});
