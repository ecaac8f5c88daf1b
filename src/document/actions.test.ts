import { expect, test } from 'vitest';
import * as actions from './actions';
import { emptyDocument, type ImageRef, type Take } from './document';

const image = (id: string, width = 400, height = 300): ImageRef => ({
  id: id.repeat(64).slice(0, 64),
  name: `${id}.png`,
  width,
  height,
});
const withPhoto = actions.setPhoto(emptyDocument, image('a'));
const recipe = actions.recipeOf(
  { ...withPhoto, sourcePrompt: ' a cat ', targetPrompt: 'a dog', options: { steps: 8, stray: 1 } },
  image('a'),
  { steps: 60, guidanceScale: 7.5 },
  'cat',
);
const take = (id: string): Take => ({
  id,
  recipe,
  square: image('b', 128, 128),
  reconstruction: image('c', 128, 128),
  maskUsed: null,
  steps: 8,
  stopped: false,
});

test('a new photo starts with the largest centred square and drops the mask, and keeps the takes', () => {
  const before = { ...withPhoto, mask: image('c'), takes: [take('t')], shown: 't' };
  const after = actions.setPhoto(before, image('d', 300, 500));
  expect(after.square).toEqual({ x: 0, y: 100, size: 300 });
  expect([after.mask, after.shown, after.takes.length]).toEqual([null, null, 1]);
});

test('the square is kept whole and inside the photo', () => {
  expect(actions.setSquare(withPhoto, { x: -20.4, y: 250, size: 100.6 }).square).toEqual({
    x: 0,
    y: 199,
    size: 101,
  });
  expect(actions.setSquare(emptyDocument, { x: 0, y: 0, size: 9 }).square).toBeNull();
});

test('editing a prompt forgets a corrected subject', () => {
  const corrected = actions.setSubject(withPhoto, ' wooden table ');
  expect(corrected.subject).toBe('wooden table');
  expect(actions.setPrompts(corrected, { targetPrompt: 'x' }).subject).toBeNull();
  expect(actions.setSubject(corrected, '  ').subject).toBeNull();
});

test('prompts are taken from a larger record, and nothing else of it', () => {
  const demo = { sourcePrompt: 'a cat', targetPrompt: 'a dog', photo: 'cat.jpg', seed: 3 };
  const { photo, seed, sourcePrompt, targetPrompt } = actions.setPrompts(withPhoto, demo);
  expect([photo, seed, sourcePrompt, targetPrompt]).toEqual([withPhoto.photo, 0, 'a cat', 'a dog']);
});

test('a recipe is complete: defaults written out, options of other methods left out, prompts trimmed', () => {
  expect(recipe).toEqual({
    app: 'DreamSteerer Studio',
    version: 1,
    model: 'starter',
    method: 'dds-sm',
    sourcePrompt: 'a cat',
    targetPrompt: 'a dog',
    subject: 'cat',
    seed: 0,
    options: { steps: 8, guidanceScale: 7.5 },
    photo: { id: image('a').id, width: 400, height: 300 },
    square: { x: 50, y: 0, size: 300 },
    mask: null,
    concept: null,
  });
});

test('a recipe applied to its own photo gives the same recipe again', () => {
  const applied = actions.applyRecipe(withPhoto, recipe, null);
  expect(applied.subject, 'found again, not corrected').toBeNull();
  expect(actions.recipeOf(applied, image('a'), { steps: 1, guidanceScale: 1 }, 'cat')).toEqual(recipe);
  const corrected = actions.applyRecipe(withPhoto, { ...recipe, subject: 'whiskers' }, null);
  expect(corrected.subject).toBe('whiskers');
});

test('a recipe applied to the same photo at twice the size scales its square', () => {
  const large = actions.setPhoto(emptyDocument, image('d', 800, 600));
  const { square } = actions.applyRecipe(large, { ...recipe, square: { x: 10, y: 20, size: 100 } }, null);
  expect(square).toEqual({ x: 20, y: 40, size: 200 });
});

test('takes are newest first, once each; removing the shown one shows the photo', () => {
  const two = actions.addTake(actions.addTake(withPhoto, take('1')), take('2'));
  expect(two.takes.map(({ id }) => id)).toEqual(['2', '1']);
  expect(actions.addTake(two, take('1')).takes.map(({ id }) => id)).toEqual(['1', '2']);
  expect(actions.shownTake(two)?.id).toBe('2');
  expect(actions.removeTake(two, '2').shown).toBeNull();
  expect(actions.removeTake(two, '1').shown).toBe('2');
  expect(actions.showTake(two, 'gone').shown).toBeNull();
});

test('options go back to their defaults one by one or all', () => {
  const set = actions.setOption(actions.setOption(withPhoto, 'steps', 8), 'guidanceScale', 3);
  expect(actions.resetOptions(set, 'steps').options).toEqual({ guidanceScale: 3 });
  expect(actions.resetOptions(set).options).toEqual({});
});
