import { readFileSync } from 'node:fs';
import { ssim as ssimJs } from 'ssim.js';
import { describe, expect, test } from 'vitest';
import { type NdArray, ndArray } from '../util/nd-array';
import type { Pixels } from '../util/pixels';
import { msSsim } from './ms-ssim';
import { outside, psnr } from './psnr';
import { ssim } from './ssim';

const [width, height] = [56, 40];
/** The pictures of tools/oracle/make_metrics.py. */
function picture(
  value: (x: number, y: number, c: number) => number,
  [width, height]: readonly [number, number] = [56, 40],
): Pixels {
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) data[p * 4 + c] = value(p % width, Math.floor(p / width), c);
  }
  return { data, width, height };
}
const base = (x: number, y: number, c: number) =>
  60 + ((3 * x + 2 * y + 40 * c) % 130) + ((x * y + 7 * c) % 17);
const disc = (x: number, y: number) => (x - 20) ** 2 + (y - 18) ** 2;
const changed = {
  second: (x: number, y: number, c: number) => base(x, y, c) + ((x * 5 + y * 3 + c * 11) % 23) - 11,
  third: (x: number, y: number, c: number) => (disc(x, y) < 100 ? 255 - base(x, y, c) : base(x, y, c)),
};
const first = picture(base);
const others = { second: picture(changed.second), third: picture(changed.third) };
const mask: NdArray = ndArray(
  Array.from({ length: width * height }, (_, p) => (disc(p % width, Math.floor(p / width)) < 144 ? 1 : 0)),
  [1, 1, height, width],
);

interface Parts {
  all: number;
  inside: number;
  outside: number | null;
}
const golden: Record<keyof typeof others, { msSsim: number; ssim: Parts; psnr: Parts }> = JSON.parse(
  readFileSync(new URL('./golden/metrics.json', import.meta.url), 'utf8'),
);

describe.each(['second', 'third'] as const)('the %s picture', (name) => {
  const other = others[name];
  test('SSIM equals scikit-image, whole, inside and outside a mask', () => {
    const expected = golden[name].ssim;
    expect(ssim(first, other)).toBeCloseTo(expected.all, 9);
    expect(ssim(first, other, mask)).toBeCloseTo(expected.inside, 9);
    expect(ssim(first, other, outside(mask))).toBeCloseTo(expected.outside!, 9);
  });

  test('PSNR equals scikit-image, whole, inside and outside a mask', () => {
    const expected = golden[name].psnr;
    expect(psnr(first, other)).toBeCloseTo(expected.all, 9);
    expect(psnr(first, other, mask)).toBeCloseTo(expected.inside, 9);
    expect(psnr(first, other, outside(mask))).toBeCloseTo(expected.outside ?? Infinity, 9);
  });

  test('MS-SSIM equals pyiqa (whose exponents are single precision)', () => {
    const size = [181, 170] as const;
    expect(msSsim(picture(base, size), picture(changed[name], size))).toBeCloseTo(golden[name].msSsim, 7);
  });
});

test('SSIM equals ssim.js on grey pictures (it rounds the luma of others)', () => {
  const grey = picture((x, y) => base(x, y, 0));
  const other = picture((x, y) => base(x, y, 0) + ((x * 5 + y * 3) % 23) - 11);
  const { mssim } = ssimJs(grey, other, { ssim: 'original', downsample: false, rgb2grayVersion: 'original' });
  expect(ssim(grey, other)).toBeCloseTo(mssim, 9);
});

test('equal pictures', () => {
  expect(ssim(first, first)).toBeCloseTo(1, 12);
  expect(psnr(first, first)).toBe(Infinity);
  const large = picture(base, [161, 161]);
  expect(msSsim(large, large)).toBeCloseTo(1, 12);
});

test('nothing to measure is null', () => {
  const nothing = ndArray(new Float32Array(width * height), [1, 1, height, width]);
  expect(ssim(first, others.second, nothing)).toBeNull();
  expect(psnr(first, others.second, nothing)).toBeNull();
});

test('pictures and masks of other sizes are refused', () => {
  const small = { data: new Uint8ClampedArray(400), width: 10, height: 10 };
  expect(() => psnr(first, small)).toThrow(/56 × 40 and 10 × 10/);
  expect(() => psnr(first, first, ndArray([1], [1, 1, 1, 1]))).toThrow(/do not cover/);
  expect(() => ssim(small, small)).toThrow(/11 × 11/);
  expect(() => msSsim(first, first)).toThrow(/161 × 161/);
});
