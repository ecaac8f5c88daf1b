import { expect, test } from 'vitest';
import type { Square } from '../document/document';
import type { Pixels } from '../util/pixels';
import { cropSquare, cutSquare } from './crop';
import { resize } from './resize';
import { changeMap, stitch } from './stitch';

type Rgb = readonly [number, number, number];
const draw = (width: number, height: number, at: (x: number, y: number) => Rgb): Pixels => {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data.set([...at(x, y), 255], 4 * (y * width + x));
  return { data, width, height };
};
const noise = (x: number, y: number, c: number): number => (x * 7919 + y * 104729 + c * 1299709) % 97;
/** Fine detail that a 64 px model cannot hold. */
const detailed = (width: number, height: number): Pixels =>
  draw(width, height, (x, y) => [60 + noise(x, y, 0), 80 + noise(x, y, 1), 50 + noise(x, y, 2)]);
const inDisc = (x: number, y: number, side: number): boolean =>
  (x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 5) ** 2;
/** `picture` with a red disc of radius side/5 in its middle. */
const withDisc = (picture: Pixels): Pixels =>
  draw(picture.width, picture.height, (x, y) =>
    inDisc(x, y, picture.width)
      ? [220, 30, 30]
      : (Array.from(picture.data.subarray(4 * (y * picture.width + x)).subarray(0, 3)) as unknown as Rgb),
  );
const at = (p: Pixels, x: number, y: number): number[] =>
  Array.from(p.data.subarray(4 * (y * p.width + x), 4 * (y * p.width + x) + 3));
/** `toEqual` takes minutes on a picture. */
const same = (a: Uint8ClampedArray, b: Uint8ClampedArray): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);
/** Coordinates, in photo px, of every pixel whose bytes differ. */
const differences = (a: Pixels, b: Pixels): [number, number][] => {
  const found: [number, number][] = [];
  for (let i = 0; i < a.width * a.height; i++) {
    for (let c = 0; c < 4; c++) {
      if (a.data[4 * i + c] !== b.data[4 * i + c]) {
        found.push([i % a.width, Math.floor(i / a.width)]);
        break;
      }
    }
  }
  return found;
};

const photo = detailed(500, 400);
const square: Square = { x: 90, y: 60, size: 300 };
const MODEL = 64;

test('edited = source gives the photo back byte for byte, whatever the autoencoder did', async () => {
  const own = await cropSquare(photo, square, MODEL);
  const blurred = await resize(await resize(own, 16, 16), MODEL, MODEL);
  for (const source of [own, blurred]) {
    const result = await stitch(photo, square, { edited: source, source });
    expect(same(result.data, photo.data)).toBe(true);
    expect(result.data === photo.data).toBe(false);
  }
});

test('a change appears at full strength where it is, and the rest of the photo is untouched', async () => {
  const source = await resize(await resize(await cropSquare(photo, square, MODEL), 16, 16), MODEL, MODEL);
  const before = photo.data.slice();
  const result = await stitch(photo, square, { edited: withDisc(source), source });
  expect(same(photo.data, before)).toBe(true);
  const [r, g, b] = at(result, 240, 210) as unknown as Rgb;
  expect(Math.abs(r - 220) + Math.abs(g - 30) + Math.abs(b - 30)).toBeLessThan(12);
  const changed = differences(photo, result);
  // The disc has radius 60 px; closing does not widen it, growing and fading add 2/64 of the side, the blur 1 px of 64.
  const reach = Math.max(...changed.map(([x, y]) => Math.hypot(x - 240, y - 210)));
  expect(reach).toBeGreaterThan(60);
  expect(reach).toBeLessThan(60 + 6 * (300 / MODEL));
  expect(changed.length).toBeLessThan(0.45 * 300 * 300);
});

test('nothing outside the square changes even when everything inside does', async () => {
  const result = await stitch(photo, square, { edited: draw(MODEL, MODEL, () => [255, 0, 255]) });
  const changed = differences(photo, result);
  expect(changed.length).toBeGreaterThan(0.9 * 300 * 300);
  expect(changed.filter(([x, y]) => x < 90 || x >= 390 || y < 60 || y >= 360)).toEqual([]);
  expect(at(result, 240, 210)).toEqual([255, 0, 255]);
  // The border fades: next to it the photo dominates.
  for (const [x, y] of [
    [90, 200],
    [389, 200],
    [240, 60],
    [240, 359],
  ] as const) {
    for (let c = 0; c < 3; c++) expect(Math.abs(at(result, x, y)[c]! - at(photo, x, y)[c]!)).toBeLessThan(6);
  }
});

test('a square that ends at the border of the photo does not fade there', async () => {
  const edited = draw(MODEL, MODEL, () => [255, 0, 255]);
  const corner = await stitch(photo, { x: 0, y: 0, size: 300 }, { edited });
  expect(at(corner, 0, 0)).toEqual([255, 0, 255]);
  expect(at(corner, 299, 0)).not.toEqual([255, 0, 255]);
});

test('where the mask is black the bytes are the photo’s', async () => {
  const edited = draw(MODEL, MODEL, () => [255, 0, 255]);
  const mask = draw(256, 256, (x) => (x < 128 ? [0, 0, 0] : [255, 255, 255]));
  const result = await stitch(photo, square, { edited, mask });
  const changed = differences(photo, result);
  expect(Math.min(...changed.map(([x]) => x))).toBeGreaterThanOrEqual(90 + 149);
  expect(at(result, 300, 200)).toEqual([255, 0, 255]);
});

test('a colour cast of the autoencoder does not show at the border of a change', async () => {
  const gradient = draw(900, 900, (x, y) => [60 + (x >> 3), 60 + (y >> 3), 120]);
  const whole = { x: 100, y: 100, size: 700 };
  const own = await cropSquare(gradient, whole, MODEL);
  const cast = (p: Pixels): Pixels =>
    draw(p.width, p.height, (x, y) => at(p, x, y).map((v, c) => v + [12, -9, 6][c]!) as unknown as Rgb);
  // The edit replaces the disc by something that, without the cast, would be the gradient 40 levels brighter in blue.
  const bluer = draw(MODEL, MODEL, (x, y) => {
    const [r, g, b] = at(own, x, y) as unknown as Rgb;
    return [r, g, b + (inDisc(x, y, MODEL) ? 40 : 0)];
  });
  const result = await stitch(gradient, whole, { edited: cast(bluer), source: cast(own) });
  const range = [0, 1, 2].map((c) => {
    let [low, high] = [0, 0];
    for (let i = c; i < result.data.length; i += 4) {
      const d = result.data[i]! - gradient.data[i]!;
      [low, high] = [Math.min(low, d), Math.max(high, d)];
    }
    return { low, high };
  });
  // The cast of 12, 9 and 6 levels is gone; Lanczos rings around the jagged edge of 40 levels in blue.
  expect(Math.max(-range[0]!.low, range[0]!.high, -range[1]!.low, range[1]!.high)).toBeLessThanOrEqual(2);
  expect(range[2]!.low).toBeGreaterThanOrEqual(-10);
  expect(range[2]!.high).toBeGreaterThan(36);
  expect(range[2]!.high).toBeLessThanOrEqual(52);
});

test('a faint drift of the whole edit leaves no pedestal around a change', async () => {
  const grey = draw(400, 400, () => [100, 100, 100]);
  const whole = { x: 0, y: 0, size: 400 };
  const own = await cropSquare(grey, whole, MODEL);
  const edited = draw(MODEL, MODEL, (x, y) => (inDisc(x, y, MODEL) ? [180, 180, 180] : [105, 105, 105]));
  const result = await stitch(grey, whole, { edited, source: own });
  // Just outside the disc (radius 80 px), where the change map still reaches; Lanczos rings there by some levels.
  for (const x of [293, 296, 300]) expect(Math.abs(at(result, x, 200)[0]! - 100)).toBeLessThanOrEqual(3);
  expect(at(result, 200, 200)[0]).toBeGreaterThan(170);
});

test('an edit that changes everything, here more and there less, keeps its own colours', async () => {
  const grey = draw(400, 400, () => [100, 100, 100]);
  const whole = { x: 0, y: 0, size: 400 };
  const source = await cropSquare(grey, whole, MODEL);
  const edited = draw(MODEL, MODEL, (x) => [x < 32 ? 118 : 230, x < 32 ? 100 : 40, 100]);
  const result = await stitch(grey, whole, { edited, source });
  expect(at(result, 240, 200)).toEqual([230, 40, 100]);
});

test('no seam: on a smooth gradient neighbouring pixels never jump', async () => {
  const gradient = draw(600, 600, (x, y) => [(x + y) / 6, 100, 200 - x / 6]);
  const whole = { x: 50, y: 50, size: 500 };
  const own = await cropSquare(gradient, whole, MODEL);
  const glow = draw(MODEL, MODEL, (x, y) => {
    const light = 90 * Math.exp(-((x - 32) ** 2 + (y - 32) ** 2) / 60);
    return at(own, x, y).map((v) => v + light) as unknown as Rgb;
  });
  const result = await stitch(gradient, whole, { edited: glow, source: own });
  let jump = 0;
  const row = 4 * 600;
  for (let i = row + 4; i < result.data.length; i++) {
    if (i % row < 4) continue;
    const here = result.data[i]!;
    jump = Math.max(jump, Math.abs(here - result.data[i - 4]!), Math.abs(here - result.data[i - row]!));
  }
  // The glow itself climbs 90 levels over about 8 model px of 7.8 photo px each: 2.5 levels per pixel at its steepest.
  expect(jump).toBeLessThanOrEqual(4);
});

test('single noisy pixels are no change', async () => {
  const source = await cropSquare(photo, square, MODEL);
  const edited = { ...source, data: source.data.map((v, i) => (i % 4 < 3 ? v + ((i * 31) % 7) - 3 : v)) };
  expect(changeMap(edited, source).data.every((c) => c === 0)).toBe(true);
});

test('pictures and squares that do not fit are refused', async () => {
  const edited = draw(MODEL, MODEL, () => [0, 0, 0]);
  for (const bad of [
    { x: -1, y: 0, size: 10 },
    { x: 0, y: 150, size: 300 },
    { x: 0.5, y: 0, size: 10 },
    { x: 0, y: 0, size: 0 },
  ]) {
    await expect(stitch(photo, bad, { edited })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(() => cutSquare(photo, bad)).toThrow();
  }
  const small = draw(32, 32, () => [0, 0, 0]);
  await expect(stitch(photo, square, { edited, source: small })).rejects.toMatchObject({ code: 'SHAPE' });
  await expect(stitch(photo, square, { edited: draw(64, 32, () => [0, 0, 0]) })).rejects.toMatchObject({
    code: 'SHAPE',
  });
});

test('12 megapixels with a 2000 px square take seconds, and keep their size and every byte out of reach of the change', async () => {
  const large = { data: new Uint8ClampedArray(4 * 4000 * 3000).fill(255), width: 4000, height: 3000 };
  for (let i = 0; i < large.data.length; i++) if (i % 4 < 3) large.data[i] = 60 + noise(i, i >> 9, 1);
  const middle = { x: 1000, y: 500, size: 2000 };
  const source = await cropSquare(large, middle, 512);
  const edited = withDisc(source);
  const began = process.cpuUsage();
  const result = await stitch(large, middle, { edited, source });
  // Processor time (1.4 s measured): the clock would measure what else the machine does.
  expect(process.cpuUsage(began).user / 1e6).toBeLessThan(5);
  expect(at(result, 2000, 1500)).toEqual([220, 30, 30]);
  expect([result.width, result.height, result.data.length]).toEqual([4000, 3000, 4 * 4000 * 3000]);
  // All of the disc (radius 400 px), nothing beyond what it reaches: growing, fading and the blur, about 2/64 of the side.
  let changed = 0;
  let furthest = 0;
  for (let i = 0; i < large.data.length; i++) {
    if (large.data[i] === result.data[i]) continue;
    changed++;
    const distance = Math.hypot(((i >> 2) % 4000) - 2000, Math.floor((i >> 2) / 4000) - 1500);
    if (distance > furthest) furthest = distance;
  }
  expect(changed).toBeGreaterThan(2.9 * Math.PI * 400 ** 2);
  expect(furthest).toBeLessThan(400 + 2000 / 16);
});
