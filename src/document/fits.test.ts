import { expect, test } from 'vitest';
import {
  addFit,
  applyRecipe,
  chooseConcept,
  chooseFit,
  putConcept,
  recipeOf,
  removeConcept,
  setSquare,
} from './actions';
import { type Document, emptyDocument, type FittedConcept } from './document';
import { restore, restoreRecipe } from './migrations';

const photo = { id: 'ef'.repeat(32), name: 'cat.jpg', width: 400, height: 300 };
const square = { x: 20, y: 30, size: 200 };
const ref = { id: 'ab'.repeat(32), name: 'Miso', token: '<miso>', classWord: 'cat', subject: '<miso> cat' };
const about = { method: 'custom-diffusion', options: {}, pictures: [], seed: 1, model: 'starter' };
const learned = { ...ref, ...about, steps: 400, baseHash: null };
const concept = { ...about, id: 'one', name: 'Miso', classWord: 'cat', token: '<miso>', learned };
const fit: FittedConcept = {
  id: '12'.repeat(32),
  key: '34'.repeat(32),
  concept: learned.id,
  photo: photo.id,
  square,
  sourcePrompt: 'a dog',
  targetPrompt: 'a <miso> cat',
  options: { steps: 20, sampling: 'guided' },
  seed: 0,
  steps: 20,
  samples: [{ ...photo, id: '56'.repeat(32) }],
};
const start: Document = { ...emptyDocument, photo, square, sourcePrompt: 'a dog', targetPrompt: 'a cat' };
const used = chooseConcept(
  putConcept(start, { ...concept, preset: 'quick', checkpoints: [], unfinished: null }),
  'one',
);
const fitted = addFit(used, fit);
const recipe = (doc: Document) => recipeOf(doc, photo, {}, 'dog');
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('a new fit is used, and a recipe names it and comes back as it was', () => {
  expect(recipe(used).fit).toBeUndefined();
  expect(recipe(fitted).fit).toEqual({ id: fit.id, key: fit.key });
  expect(restoreRecipe(json(recipe(fitted)))).toEqual(recipe(fitted));
  expect(recipe(chooseFit(fitted, null)).fit).toBeUndefined();
  expect(recipe(chooseFit(fitted, 'gone')).fit).toBeUndefined();
});

test('a fit is used for its own concept, photo and square alone', () => {
  const moved = setSquare(fitted, { ...square, x: 21 });
  expect(recipe(moved).fit).toBeUndefined();
  expect(recipe(setSquare(moved, square)).fit).toEqual(recipe(fitted).fit);
  expect(recipe(chooseConcept(fitted, null)).fit).toBeUndefined();
  const relearned = { ...concept, preset: 'quick', checkpoints: [], unfinished: null } as const;
  const other = putConcept(fitted, { ...relearned, learned: { ...learned, id: '78'.repeat(32) } });
  expect(recipe(other).fit).toBeUndefined();
  expect(recipe({ ...fitted, photo: { ...photo, id: '9a'.repeat(32) } }).fit).toBeUndefined();
});

test('a recipe brings its fit back where the document has it', () => {
  const without = chooseFit(fitted, null);
  expect(applyRecipe(without, recipe(fitted), null).fit).toBe(fit.id);
  expect(applyRecipe(fitted, recipe(without), null).fit).toBeNull();
  expect(applyRecipe(used, recipe(fitted), null).fit).toBeNull();
});

test('a document with fits comes back as it was; what is no fit is refused', () => {
  expect(restore(json(fitted))).toEqual(fitted);
  for (const broken of [{ ...fit, key: 'x' }, { ...fit, steps: -1 }, { ...fit, samples: [{}] }, null]) {
    expect(() => restore(json({ ...fitted, fits: [broken] }))).toThrow('not a project');
  }
  expect(() => restoreRecipe({ ...recipe(fitted), fit: { ...fit, id: '../x' } })).toThrow('content id');
});

test('what was fitted to a concept goes with it', () => {
  expect(removeConcept(fitted, 'one')).toEqual(start);
});
