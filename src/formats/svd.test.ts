import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { expect, test } from 'vitest';
import type { NdArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { truncatedSvd } from './svd';
import { product } from './weight-change';

const random = (m: number, n: number, seed = 1): NdArray => ({
  data: createTorchRng(seed).randn(m * n),
  shape: [m, n],
});

/** Random singular vectors, singular values 1, 1/2, 1/3, … */
function decaying(m: number, n: number): NdArray {
  const out = new Float32Array(m * n);
  for (let k = 0; k < Math.min(m, n); k++) {
    const u = createTorchRng(2 * k).randn(m);
    const v = createTorchRng(2 * k + 1).randn(n);
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[i * n + j]! += (u[i]! * v[j]!) / (k + 1);
  }
  return { data: out, shape: [m, n] };
}

const energyLost = (a: NdArray, { up, down }: { up: NdArray; down: NdArray }): number => {
  const { data } = product({ name: 'a', down, up });
  const total = a.data.reduce((sum, x) => sum + x * x, 0);
  return a.data.reduce((sum, x, i) => sum + (x - data[i]!) ** 2, 0) / total;
};

test('a matrix of low rank is found exactly', () => {
  const [up, down] = [random(140, 5), random(5, 150, 2)];
  const a = product({ name: 'a', down, up });
  const svd = truncatedSvd(a, 5);
  expect(svd.keptEnergy).toBeCloseTo(1, 9);
  expect(energyLost(a, svd)).toBeLessThan(1e-10);
});

test.each([
  ['tall', 40, 12, 4],
  ['wide', 12, 40, 4],
  ['of more columns than the rank asks for', 8, 6, 20],
])('the kept energy of a small matrix, %s, is what the factors keep', (_, m, n, rank) => {
  const a = random(m, n);
  const svd = truncatedSvd(a, rank);
  const r = Math.min(rank, m, n);
  expect([svd.up.shape, svd.down.shape]).toEqual([
    [m, r],
    [r, n],
  ]);
  expect(1 - energyLost(a, svd)).toBeCloseTo(svd.keptEnergy, 5);
});

test.each([
  ['slowly decaying', decaying(150, 140), 0.005],
  ['not decaying at all', random(150, 140), 0.01],
])(
  'the random subspace keeps nearly all that is possible of singular values that are %s',
  (_, a, tolerance) => {
    const values = new SingularValueDecomposition(Matrix.from1DArray(150, 140, a.data)).diagonal;
    const squares = values.map((s) => s * s);
    const best = squares.slice(0, 32).reduce((x, y) => x + y) / squares.reduce((x, y) => x + y);
    const svd = truncatedSvd(a, 32);
    expect(svd.keptEnergy).toBeLessThanOrEqual(best + 1e-6);
    expect(svd.keptEnergy).toBeGreaterThan(best - tolerance);
    expect(1 - energyLost(a, svd)).toBeCloseTo(svd.keptEnergy, 5);
  },
);

test('a matrix of zeros has nothing to lose', () => {
  expect(truncatedSvd({ data: new Float32Array(12), shape: [3, 4] }, 2).keptEnergy).toBe(1);
});
