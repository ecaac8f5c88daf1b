import { expect, test } from 'vitest';
import { fillTemplate, rateOf, templatesOf } from './method';
import { personalizationMethods } from './methods';

test('the rate stays, then falls in a straight line', () => {
  const rates = (coolDown: number) =>
    Array.from({ length: 4 }, (_, step) => rateOf({ learningRate: 8, steps: 4, coolDown })(step));
  expect(rates(0)).toEqual([8, 8, 8, 8]);
  expect(rates(0.5)).toEqual([8, 8, 8, 4]);
  expect(rates(1)).toEqual([8, 6, 4, 2]);
});

test('a template’s article suits its words', () => {
  expect(fillTemplate('a photo of a {}', 'cat')).toBe('a photo of a cat');
  expect(fillTemplate('a photo of a {}', 'elephant')).toBe('a photo of an elephant');
  expect(fillTemplate('the photo of the {}', 'elephant')).toBe('the photo of the elephant');
  expect(fillTemplate('{} in the snow', 'Ball')).toBe('Ball in the snow');
});

test('without variation there is one plain prompt', () => {
  const inversion = personalizationMethods['textual-inversion']!;
  expect(templatesOf(inversion, { varied: 1 })).toHaveLength(27);
  expect(templatesOf(inversion, { varied: 0 })).toEqual(['a photo of a {}']);
});
