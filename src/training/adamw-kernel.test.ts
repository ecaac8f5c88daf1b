import { expect, test } from 'vitest';
import { createTorchRng } from '../util/random';
import { adamwMemory } from './adamw-kernel';

const constants = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
const scalars = { decay: 0.99, rate: 0.02, correction: 1.5 };

test('every value follows the formula, beyond one call and in a last group that is not whole', () => {
  const size = 2 * 65_536 + 3;
  const memory = adamwMemory(constants, size);
  const rng = createTorchRng(1);
  const { weights, gradients, slots } = memory;
  const [m, v] = [slots.m!, slots.v!];
  for (const array of [weights, gradients, m, v]) array.set(rng.randn(size));
  v.forEach((x, i) => {
    v[i] = Math.abs(x);
  });
  const before = [weights, m, v].map((array) => array.slice());
  memory.apply(0.5, scalars);
  let worst = 0;
  for (let i = 0; i < size; i++) {
    const slope = 0.5 * gradients[i]!;
    const first = 0.9 * before[1]![i]! + 0.1 * slope;
    const second = 0.999 * before[2]![i]! + 0.001 * slope * slope;
    const weight = 0.99 * before[0]![i]! - (0.02 * first) / (1.5 * Math.sqrt(second) + 1e-8);
    const off = [weights[i]! - weight, m[i]! - first, v[i]! - second].map(
      (d) => Math.abs(d) / (1 + Math.abs(weight)),
    );
    worst = Math.max(worst, ...off);
  }
  expect(worst).toBeLessThan(1e-6);
});

test('the squares of all gradients are added in double precision', () => {
  const size = 65_536 + 2;
  const { gradients, squares } = adamwMemory(constants, size);
  gradients.fill(0.1);
  gradients[size - 1] = 1e25;
  const each = Math.fround(0.1) ** 2;
  expect(squares()).toBeCloseTo(Math.fround(1e25) ** 2, -40);
  gradients[size - 1] = 0;
  expect(Math.abs(squares() / (each * (size - 1)) - 1)).toBeLessThan(1e-12);
  gradients[7] = Number.NaN;
  expect(squares()).toBeNaN();
});

test('more than WebAssembly can address is out of memory', () => {
  expect(() => adamwMemory(constants, 2 ** 28 + 1)).toThrow(
    expect.objectContaining({ code: 'OUT_OF_MEMORY' }),
  );
});
