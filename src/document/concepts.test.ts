import { expect, test } from 'vitest';
import { chooseConcept, putConcept, recipeOf, removeConcept } from './actions';
import {
  conceptPrompt,
  plannedSteps,
  refOf,
  replacementOf,
  subjectOf,
  targetAsRead,
  targetOf,
  tokenFor,
} from './concepts';
import { type Concept, emptyDocument, type LearnedConcept } from './document';
import { restore, restoreRecipe } from './migrations';

const learned: LearnedConcept = {
  id: 'ab'.repeat(32),
  name: 'Miso',
  token: '<miso>',
  classWord: 'cat',
  subject: '<miso> cat',
  method: 'custom-diffusion',
  options: { steps: 400 },
  steps: 400,
  pictures: [{ id: 'ef'.repeat(32), square: { x: 50, y: 0, size: 300 } }],
  seed: 1,
  model: 'starter',
  baseHash: 'cd'.repeat(32),
};
const photo = { id: 'ef'.repeat(32), name: 'cat.jpg', width: 400, height: 300 };
const concept: Concept = {
  id: 'one',
  name: 'Miso',
  classWord: 'cat',
  token: '<miso>',
  pictures: [{ image: photo, square: { x: 50, y: 0, size: 300 } }],
  method: 'custom-diffusion',
  preset: 'quick',
  options: { rank: 8 },
  seed: 1,
  model: 'starter',
  learned,
  checkpoints: [
    { step: 100, state: '12'.repeat(32), learned: { ...learned, steps: 100 } },
    { step: 400, state: null, learned, kept: true },
  ],
  unfinished: '12'.repeat(32),
};
const used = chooseConcept(putConcept(emptyDocument, concept), 'one');

test.each<[string, string, string | null, string]>([
  ['a photo of a cat', 'a photo of a cat', 'a photo of a <miso> cat', 'the class word'],
  ['a photo of a dog', 'a photo of Miso, asleep', 'a photo of <miso> cat, asleep', 'the name'],
  ['a photo of a dog', 'a photo of a <miso> cat', 'a photo of a <miso> cat', 'its own word'],
  ['a photo of a dog', 'a photo of a kitten', 'a photo of a <miso> cat', 'what replaces the subject'],
  ['a catalogue', 'a catalogue', null, 'no part of a word'],
])('"%s" → "%s" is read as %s (%4$s)', (sourcePrompt, targetPrompt, expected, _) => {
  expect(conceptPrompt({ sourcePrompt, targetPrompt, subject: null }, learned)).toBe(expected);
});

test('a corrected subject is the last place to put a concept', () => {
  const prompts = { sourcePrompt: 'two (old) dogs', targetPrompt: 'two (old) dogs', subject: '(old) dogs' };
  expect(conceptPrompt(prompts, learned)).toBe('two <miso> cat');
});

test('what is said to run is what runs: every picture equally often', () => {
  expect(plannedSteps(400, 4)).toEqual({ steps: 400, perPicture: 100 });
  expect(plannedSteps(400, 3)).toEqual({ steps: 399, perPicture: 133 });
  expect(plannedSteps(5, 20)).toEqual({ steps: 20, perPicture: 1 });
});

test('a concept is called by a word in brackets, or by a rare one when none is learned', () => {
  expect(tokenFor('Miso the 2nd!', 1, 'sks')).toBe('<miso-the-2nd>');
  expect(tokenFor('!', 1, 'sks')).toBe('<concept>');
  expect(tokenFor('Miso', 0, 'sks')).toBe('sks');
});

test('a document with concepts comes back as it was, and its recipe names the one in use', () => {
  expect(restore(JSON.parse(JSON.stringify(used)))).toEqual(used);
  const recipe = recipeOf(used, photo, {}, null);
  expect(recipe.concept).toEqual(refOf(learned));
  expect(restoreRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
  const { concept: _, ...older } = recipe;
  expect(restoreRecipe(older).concept).toBeNull();
  expect(() => restoreRecipe({ ...recipe, concept: { ...recipe.concept, id: '../x' } })).toThrow(
    'content id',
  );
});

test('a removed concept is not used any more', () => {
  expect(removeConcept(used, 'one')).toEqual(emptyDocument);
  expect(chooseConcept(used, 'gone').concept).toBeNull();
  expect(putConcept(used, { ...concept, name: 'Mochi' }).concepts.map(({ name }) => name)).toEqual(['Mochi']);
});

test('a concept alone is enough of a wish: it takes the subject out of what the photo shows, and gives it back', () => {
  const doc = { ...used, sourcePrompt: 'a photo of a cat on a table' };
  expect(targetOf(doc)).toBe('a photo of a cat on a table');
  expect(targetAsRead(doc)).toBe('a photo of a <miso> cat on a table');
  expect(subjectOf(doc)).toBe('cat');
  const off = chooseConcept(doc, null);
  expect([targetOf(off), targetAsRead(off)]).toEqual(['', '']);
  const recipe = recipeOf(doc, photo, {}, subjectOf(doc));
  expect(recipe).toMatchObject({ targetPrompt: 'a photo of a cat on a table', concept: { name: 'Miso' } });
  expect(replacementOf(recipe)).toBe('Miso');
  expect(targetAsRead({ ...doc, sourcePrompt: 'a photo of a boat' })).toBeNull();
});

test('words of a concept are found as whole words, whatever signs are in them', () => {
  const prompts = { sourcePrompt: 'a dog at the desks', targetPrompt: 'a cat at the desks', subject: null };
  const rare = { ...refOf(learned), token: 'sks', subject: 'sks cat' };
  expect(conceptPrompt(prompts, rare)).toBe('a sks cat at the desks');
  for (const name of ['Miso-2', "O'Neil (old)", 'a.b*c']) {
    const named = { ...refOf(learned), name };
    expect(conceptPrompt({ ...prompts, targetPrompt: `photo of ${name} here` }, named)).toBe(
      'photo of <miso> cat here',
    );
  }
});
