import { expect, test } from 'vitest';
import { zeros } from '../util/nd-array';
import { fromMask, fromTensor, toMask, toTensor } from './tensor';

const every = { data: new Uint8ClampedArray(4 * 256), width: 64, height: 4 };
for (let i = 0; i < 256; i++) every.data.set([i, 255 - i, (i * 7) % 256, 255], 4 * i);

test('every level survives the way to a tensor and back', () => {
  const tensor = toTensor(every);
  expect(tensor.shape).toEqual([1, 3, 4, 64]);
  expect([tensor.data[0], tensor.data[255], tensor.data[256]]).toEqual([-1, 1, 1]);
  expect(fromTensor(tensor)).toEqual(every);
});

test('values beyond the range are clipped, not wrapped', () => {
  const data = Float32Array.from([-1.5, 1.5, 0]);
  expect(Array.from(fromTensor({ data, shape: [1, 3, 1, 1] }).data)).toEqual([0, 255, 128, 255]);
});

test('transparency shows white', () => {
  const half = { data: Uint8ClampedArray.from([0, 0, 0, 0, 255, 0, 0, 51]), width: 2, height: 1 };
  const { data } = toTensor(half);
  expect([data[0], data[2]]).toEqual([1, 1]);
  expect(data[3]).toBeCloseTo(0.6, 6);
});

test('masks survive the way to a tensor and back', () => {
  const grey = { ...every, data: every.data.map((_, i) => (i % 4 < 3 ? i >> 2 : 255)) };
  const mask = toMask(grey);
  expect([mask.shape, mask.data[0], mask.data[255]]).toEqual([[1, 1, 4, 64], 0, 1]);
  expect(fromMask(mask)).toEqual(grey);
});

test('other shapes are refused', () => {
  for (const shape of [
    [3, 2, 2],
    [2, 3, 2, 2],
    [1, 4, 2, 2],
  ]) {
    expect(() => fromTensor(zeros(shape))).toThrow(/\[1,3,H,W\]/);
    expect(() => fromMask(zeros(shape))).toThrow(/\[1,1,H,W\]/);
  }
});
