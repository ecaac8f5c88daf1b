import { expect, test } from 'vitest';
import golden from './golden/resize.json';
import { resize } from './resize';

const W = 61;
const H = 47;
/** The picture of tools/oracle/resize.py. */
const picture = () => {
  const data = new Uint8ClampedArray(4 * W * H).fill(255);
  for (let y = 0; y < H; y++)
    for (let x = 0; x < W; x++)
      for (let c = 0; c < 3; c++) {
        const tile = ((x >> 4) + (y >> 4)) % 2 === 0 ? 60 : 150;
        const noise = (x * 7919 + y * 104729 + c * 1299709) % 41;
        data[4 * (y * W + x) + c] = tile + noise + ((x + y * c) >> 2);
      }
  return { data, width: W, height: H };
};

/** `toEqual` takes minutes on a picture. */
const same = (a: Uint8ClampedArray, b: Uint8ClampedArray): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

for (const { width, height, rgb } of golden.cases) {
  test(`Lanczos ${W}×${H} → ${width}×${height} agrees with PIL`, async () => {
    const expected = Buffer.from(rgb, 'base64');
    const { data } = await resize(picture(), width, height);
    let worst = 0;
    let sum = 0;
    for (let i = 0; i < width * height; i++)
      for (let c = 0; c < 3; c++) {
        const error = Math.abs(data[4 * i + c]! - expected[3 * i + c]!);
        worst = Math.max(worst, error);
        sum += error;
      }
    expect(worst).toBeLessThanOrEqual(1);
    expect(sum / expected.length).toBeLessThan(0.3);
    expect(data.every((value, i) => i % 4 < 3 || value === 255)).toBe(true);
  });
}

test('the same size is an exact copy, and the source is left alone', async () => {
  const source = picture();
  const copy = await resize(source, W, H);
  expect(same(copy.data, source.data)).toBe(true);
  copy.data.fill(0);
  expect(same(source.data, picture().data)).toBe(true);
});

test('box shrinking by a whole factor is the mean', async () => {
  const data = new Uint8ClampedArray(4 * 4 * 4).fill(255);
  for (let i = 0; i < 16; i++) data[4 * i] = i * 10;
  const small = await resize({ data, width: 4, height: 4 }, 2, 2, 'box');
  expect([0, 1, 2, 3].map((i) => small.data[4 * i])).toEqual([25, 45, 105, 125]);
});

test('transparent pixels do not bleed their colour', async () => {
  const data = Uint8ClampedArray.from([255, 0, 0, 255, 0, 255, 0, 0]);
  const [r, g, , a] = (await resize({ data, width: 2, height: 1 }, 1, 1, 'box')).data;
  expect([r, g]).toEqual([255, 0]);
  expect(Math.abs(a! - 128)).toBeLessThanOrEqual(1);
});
