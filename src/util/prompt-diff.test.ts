import { expect, test } from 'vitest';
import { phrasesOf, promptDiff } from './prompt-diff';

test.each([
  ['a photo of a cat on a wooden table', 'a photo of a dog on a wooden table', 'cat', 'dog'],
  ['a photo of a cat', 'a photo of an elephant', 'cat', 'elephant'],
  ['an old cat, sleeping', 'a <miso> dog, sleeping', 'old cat', '<miso> dog'],
  ['A photo of a CAT.', 'a photo of a dog', 'CAT', 'dog'],
  ['a red ball and a blue cube', 'a red cone and a blue star', 'ball', 'cone'],
  ['a tall temple in a snowstorm', 'a wooden barn in a snowstorm', 'tall temple', 'wooden barn'],
  ['a photo of a cat', 'an oil painting of a cat', 'photo', 'oil painting'],
  ['a turtle swimming in the sea', 'a <tortoise_plushy> swimming in the sea', 'turtle', '<tortoise_plushy>'],
])('%j → %j swaps %j for %j', (source, target, subject, replacement) => {
  expect(promptDiff(source, target)).toEqual({ subject, replacement });
});

test.each([
  ['a cat', 'a striped cat', 'cat', 'striped cat'],
  ['a photo of a cat sitting', 'a photo of a big red cat sitting', 'cat', 'big red cat'],
  ['a cup on a wooden table', 'a cup on a small wooden table', 'wooden table', 'small wooden table'],
  ['a small cat sits', 'a cat sits', 'small cat', 'cat'],
  ['a cat next to a tree', 'a cat with a hat next to a tree', 'cat', 'cat with a hat'],
  ['a photo of an elephant in snow', 'a photo of a sks elephant in snow', 'elephant', 'sks elephant'],
  ['a cat', 'a cat wearing glasses', 'cat', 'cat wearing glasses'],
  ['a cat in a hat', 'a cat', 'cat in a hat', 'cat'],
])('%j → %j describes %j as %j', (source, target, subject, replacement) => {
  expect(promptDiff(source, target)).toEqual({ subject, replacement });
});

test('two things that become the same thing are both the subject', () => {
  const { subject } = promptDiff('a cat and a rabbit on grass', 'a <miso> and a <miso> on grass');
  expect(subject).toBe('cat, rabbit');
  expect(phrasesOf(subject!)).toEqual(['cat', 'rabbit']);
});

test('a replaced word is the subject even when words are added before it', () => {
  expect(promptDiff('a cat by a lamp', 'a happy cat by a candle')).toEqual({
    subject: 'lamp',
    replacement: 'candle',
  });
});

test('of several additions the first decides', () => {
  expect(promptDiff('a cat on a table', 'a cat on a big table with a dog')).toEqual({
    subject: 'table',
    replacement: 'big table',
  });
});

test.each([
  ['A Cat on a mat', 'a cat on a mat', null, null],
  ['a photo of a cat', 'a photo of a cat, oil painting', null, 'oil painting'],
  ['a cat', 'the cat', null, null],
  ['', 'a dog', null, 'dog'],
  ['', '', null, null],
])('%j → %j has no subject', (source, target, subject, replacement) => {
  expect(promptDiff(source, target)).toEqual({ subject, replacement });
});
