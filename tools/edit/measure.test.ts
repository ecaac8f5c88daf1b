import { expect, test } from 'vitest';
import type { Pixels } from '../../src/util/pixels';
import { measure } from './measure';
import type { EditOutput } from './run';

const SIDE = 32;
const grey = (at: (x: number) => number): Pixels => {
  const data = Uint8ClampedArray.from({ length: 4 * SIDE * SIDE }, (_, i) =>
    i % 4 === 3 ? 255 : at((i >> 2) % SIDE),
  );
  return { data, width: SIDE, height: SIDE };
};
const photo = grey(() => 100);
const inLeftHalf = (level: number) => grey((x) => (x < SIDE / 2 ? level : 100));
const of = (edited: Pixels, mask: Pixels | null): EditOutput =>
  // what is measured of an output
  ({ result: { recipe: { square: { x: 0, y: 0, size: SIDE } } }, edited, mask }) as unknown as EditOutput;
/** of a difference of so many levels everywhere, dB */
const decibels = (levels: number): number => 20 * Math.log10(255 / levels);

test('change is measured inside and outside the mask, after stitching and as the network returned it', async () => {
  const mask = grey((x) => (x < SIDE / 2 ? 255 : 0));
  const { result, model } = await measure(photo, inLeftHalf(110), of(inLeftHalf(105), mask));
  expect(result.psnrInside).toBeCloseTo(decibels(10), 6);
  expect(result.psnr).toBeCloseTo(decibels(10 / Math.SQRT2), 6);
  expect(result.psnrOutside).toBe(Number.POSITIVE_INFINITY);
  expect(model.psnrInside).toBeCloseTo(decibels(5), 6);
  expect(result.ssimInside!).toBeLessThan(result.ssim!);
  expect(result.ssimOutside!).toBeGreaterThan(result.ssim!);
  expect(model.ssim!).toBeGreaterThan(result.ssim!);
});

test('without a mask there is no inside and outside', async () => {
  const { result } = await measure(photo, photo, of(photo, null));
  expect(result).toEqual({
    psnr: Number.POSITIVE_INFINITY,
    ssim: 1,
    psnrInside: null,
    ssimInside: null,
    psnrOutside: null,
    ssimOutside: null,
  });
});
