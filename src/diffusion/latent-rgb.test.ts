import { expect, test } from 'vitest';
import { type NdArray, ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { LatentRgb } from './latent-rgb';

const side = 16;
const mixing = [
  [0.3, 0.1, -0.2],
  [-0.1, 0.25, 0.05],
  [0.02, -0.12, 0.2],
  [0.15, 0.05, 0.1],
];
const bias = [0.1, -0.05, 0.2];

function latentOf(seed: number): NdArray {
  return ndArray(createTorchRng(seed).randn(4 * side * side), [1, 4, side, side]);
}

/** The picture that a linear decoder would give, each latent pixel a textured 8 × 8 block of that mean. */
function decode(latent: NdArray): NdArray {
  const size = side * 8;
  const data = new Float32Array(3 * size * size);
  for (let k = 0; k < 3; k++) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const p = (y >> 3) * side + (x >> 3);
        const mean = mixing.reduce(
          (sum, row, c) => sum + row[k]! * latent.data[c * side * side + p]!,
          bias[k]!,
        );
        data[(k * size + y) * size + x] = mean + ((x + y) % 2 ? 0.3 : -0.3);
      }
    }
  }
  return ndArray(data, [1, 3, size, size]);
}

test('learns a linear decoder from one picture and predicts the colours of another', () => {
  const map = new LatentRgb(4);
  map.fit(latentOf(0), decode(latentOf(0)));
  const { data, width, height } = map.apply(latentOf(1));
  expect([width, height]).toEqual([side, side]);
  const truth = latentOf(1);
  for (let p = 0; p < side * side; p++) {
    for (let k = 0; k < 3; k++) {
      const mean = mixing.reduce((sum, row, c) => sum + row[k]! * truth.data[c * side * side + p]!, bias[k]!);
      const expected = Math.min(Math.max((mean + 1) * 127.5, 0), 255);
      expect(Math.abs(data[p * 4 + k]! - expected)).toBeLessThan(1.5);
    }
    expect(data[p * 4 + 3]).toBe(255);
  }
});

test('a flat picture, which says nothing about the channels, still gives finite colours', () => {
  const map = new LatentRgb(4);
  const flat = ndArray(new Float32Array(4 * side * side), [1, 4, side, side]);
  map.fit(flat, ndArray(new Float32Array(3 * 128 * 128).fill(0.5), [1, 3, 128, 128]));
  expect([...map.apply(flat).data.slice(0, 4)]).toEqual([191, 191, 191, 255]);
});

test('is grey before it has seen anything', () => {
  expect([...new LatentRgb(4).apply(latentOf(0)).data.slice(0, 4)]).toEqual([128, 128, 128, 255]);
});

test('refuses shapes that do not belong together', () => {
  const map = new LatentRgb(4);
  expect(() => map.apply(ndArray(new Float32Array(3), [1, 3, 1, 1]))).toThrow(/\[1,4,h,w\]/);
  expect(() => map.fit(latentOf(0), ndArray(new Float32Array(3 * 100), [1, 3, 10, 10]))).toThrow(
    /\[1,3,k·16/,
  );
});
