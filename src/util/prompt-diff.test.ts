import { expect, test } from 'vitest';
import { promptDiff } from './prompt-diff';

test.each([
  ['a photo of a cat on a wooden table', 'a photo of a dog on a wooden table', 'cat', 'dog'],
  ['a photo of a cat', 'a photo of an elephant', 'cat', 'elephant'],
  ['an old cat, sleeping', 'a <miso> dog, sleeping', 'old cat', '<miso> dog'],
  ['A Cat on a mat', 'a cat on a mat', null, null],
  ['a cat next to a tree', 'a cat with a hat next to a tree', null, 'with a hat'],
  ['a small cat sits', 'a cat sits', 'small', null],
  ['a red ball and a blue cube', 'a red cone and a blue star', 'ball', 'cone'],
  ['a tall temple in a snowstorm', 'a wooden barn in a snowstorm', 'tall temple', 'wooden barn'],
  ['', 'a dog', null, 'dog'],
  ['', '', null, null],
])('%j → %j swaps %j for %j', (source, target, subject, replacement) => {
  expect(promptDiff(source, target)).toEqual({ subject, replacement });
});
