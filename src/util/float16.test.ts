import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeBfloat, decodeHalf, encodeBfloat, encodeHalf } from './float16';

const golden = JSON.parse(
  readFileSync(new URL('../formats/golden/half.json', import.meta.url), 'utf8'),
) as Record<'float32' | 'half' | 'bfloat', number[]>;
const values = new Float32Array(Uint32Array.from(golden.float32).buffer);

test('float32 becomes fp16 as torch rounds it, at every kind of boundary', () => {
  expect([...encodeHalf(values)]).toEqual(golden.half);
});

test('float32 becomes bfloat16 as torch rounds it', () => {
  expect([...encodeBfloat(values)]).toEqual(golden.bfloat);
});

test('every fp16 and bfloat16 bit pattern survives a round trip', () => {
  const all = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);
  const isNan = (bits: number, exponent: number) =>
    (bits & exponent) === exponent && (bits & ~exponent & 0x7fff) !== 0;
  const halves = encodeHalf(decodeHalf(all));
  const bfloats = encodeBfloat(decodeBfloat(all));
  expect(all.filter((bits, i) => halves[i] !== bits && !isNan(bits, 0x7c00))).toHaveLength(0);
  expect(all.filter((bits, i) => bfloats[i] !== bits && !isNan(bits, 0x7f80))).toHaveLength(0);
});

test('a NaN stays a NaN', () => {
  expect(decodeHalf(encodeHalf(Float32Array.of(Number.NaN)))[0]).toBeNaN();
  expect(decodeBfloat(encodeBfloat(Float32Array.of(Number.NaN)))[0]).toBeNaN();
});
