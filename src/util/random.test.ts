import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createTorchRng, restoreTorchRng, type TorchRng } from './random';

type Call = ['randn' | 'rand' | 'randperm', number] | ['randint', number, number, number];
interface Golden {
  cases: { seed: string; calls: { call: Call; values: number[] }[] }[];
  latents: {
    seed: string;
    first: number[];
    last: number[];
    sum: number;
    weighted: number;
    squares: number;
  }[];
}
const golden: Golden = JSON.parse(readFileSync(new URL('./golden/random.json', import.meta.url), 'utf8'));

const draw = (rng: TorchRng, call: Call): number[] =>
  call[0] === 'randint' ? rng.randint(call[1], call[2], call[3]) : [...rng[call[0]](call[1])];

/** A few units in the last place of float32: torch's vectorised log, sin and cos round differently there. */
function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  const worst = Math.max(...actual.map((v, i) => Math.abs(v - expected[i]!)));
  expect(worst).toBeLessThan(5e-7);
}

describe('the same calls on the same seed give what torch gives', () => {
  test.each(golden.cases)('seed $seed', ({ seed, calls }) => {
    const rng = createTorchRng(BigInt(seed));
    for (const { call, values } of calls) {
      if (call[0] === 'randn') expectClose(draw(rng, call), values);
      else expect(draw(rng, call)).toEqual(values.map((v) => (call[0] === 'rand' ? Math.fround(v) : v)));
    }
  });

  test.each(golden.latents)('a whole latent, seed $seed', ({ seed, first, last, sum, weighted, squares }) => {
    const x = [...createTorchRng(BigInt(seed)).randn(4 * 64 * 64)];
    expectClose(x.slice(0, 20), first);
    expectClose(x.slice(-20), last);
    expect(x.reduce((a, v) => a + v, 0)).toBeCloseTo(sum, 3);
    expect(x.reduce((a, v, i) => a + v * (i + 1), 0) / x.length).toBeCloseTo(weighted / x.length, 3);
    expect(x.reduce((a, v) => a + v * v, 0)).toBeCloseTo(squares, 3);
  });
});

test('a restored generator goes on as the original would, also between the two normals of a pair', () => {
  const rng = createTorchRng(7);
  rng.randn(3);
  rng.randn(40);
  const copy = restoreTorchRng(JSON.parse(JSON.stringify(rng.state())));
  expect(copy.randn(5)).toEqual(rng.randn(5));
  expect(copy.randint(0, 1000, 5)).toEqual(rng.randint(0, 1000, 5));
  expect(copy.state()).toEqual(rng.state());
});

test('a seed that is not a whole number is refused', () => {
  expect(() => createTorchRng(0.5)).toThrow(/whole number/);
  expect(() => createTorchRng(Number.NaN)).toThrow(/whole number/);
});

test('an empty or too wide range is refused', () => {
  expect(() => createTorchRng(0).randint(5, 5, 1)).toThrow(/no range/);
  expect(() => createTorchRng(0).randint(0, 2 ** 28, 1)).toThrow(/no range/);
});
