import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { meanOf, signTest, wilcoxon } from './statistics';

interface Golden {
  readonly values: readonly number[];
  readonly mean: number;
  readonly confidence: number;
  readonly sign: number;
  readonly wilcoxon: number;
}
const golden: Record<string, Golden> = JSON.parse(
  readFileSync(new URL('./golden/statistics.json', import.meta.url), 'utf8'),
);

test.each(Object.keys(golden))('mean, interval, sign and Wilcoxon tests equal SciPy: %s', (name) => {
  const { values, ...expected } = golden[name]!;
  const { mean, confidence } = meanOf(values);
  expect(mean).toBeCloseTo(expected.mean, 12);
  expect(confidence! / expected.confidence).toBeCloseTo(1, 9);
  expect(signTest(values)).toBeCloseTo(expected.sign, 10);
  expect(wilcoxon(values)).toBeCloseTo(expected.wilcoxon, 10);
});

test('samples that say nothing', () => {
  expect(meanOf([3])).toEqual({ mean: 3, confidence: null, n: 1 });
  expect([signTest([0, 0]), wilcoxon([0, 0])]).toEqual([1, 1]);
});
