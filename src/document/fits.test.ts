import { expect, test } from 'vitest';
import {
  addFit,
  applyRecipe,
  chooseConcept,
  putConcept,
  recipeOf,
  removeConcept,
  setModel,
  setPrompts,
  setSquare,
} from './actions';
import { type Document, emptyDocument, type FittedConcept, type UnfinishedFit } from './document';
import { fitDifferences, fitInUse, setFitting, unfinishedFit, wantedFit } from './fits';
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
  model: 'starter',
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
const defaults = { '': { steps: 40, sampling: 'guided' }, 'custom-diffusion': fit.options };
const fitted = addFit(used, fit);
const recipe = (doc: Document) => recipeOf(doc, photo, {}, 'dog', fitInUse(doc, defaults));
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('what an edit wants is complete, and the fit of it is used and named by the recipe', () => {
  const { id: _, key, steps, samples, ...of } = fit;
  expect(wantedFit(used, defaults)).toEqual(of);
  expect(wantedFit(used, { '': { steps: 40 } })?.options).toEqual({ steps: 40 });
  expect(recipe(used).fit).toBeUndefined();
  const { options, seed } = fit;
  expect(recipe(fitted).fit).toEqual({ id: fit.id, key, options, seed });
  expect(restoreRecipe(json(recipe(fitted)))).toEqual(recipe(fitted));
  expect(recipe(setFitting(fitted, { on: false })).fit).toBeUndefined();
});

const relearned = { ...concept, preset: 'quick', checkpoints: [], unfinished: null } as const;
test.each<[string, (doc: Document) => Document, string]>([
  ['the model', (doc) => setModel(doc, 'mine'), 'model'],
  ['the square', (doc) => setSquare(doc, { ...square, x: 21 }), 'square'],
  ['the photo', (doc) => ({ ...doc, photo: { ...photo, id: '9a'.repeat(32) } }), 'photo'],
  ['what it shows', (doc) => setPrompts(doc, { sourcePrompt: 'a puppy' }), 'sourcePrompt'],
  ['the wish', (doc) => setPrompts(doc, { targetPrompt: 'a cat, smiling' }), 'targetPrompt'],
  ['an option', (doc) => setFitting(doc, { options: { steps: 30 } }), 'options'],
  ['the seed', (doc) => setFitting(doc, { seed: 1 }), 'seed'],
  [
    'what was learned',
    (doc) => putConcept(doc, { ...relearned, learned: { ...learned, id: '78'.repeat(32) } }),
    'concept',
  ],
])('a fit goes out of use when %s changes, and comes back with it', (_, change, name) => {
  const changed = change(fitted);
  expect(fitInUse(changed, defaults)).toBeNull();
  expect(fitDifferences(fit, wantedFit(changed, defaults)!)).toEqual([name]);
  expect(unfinishedFit({ ...changed, unfinishedFit: run }, wantedFit(changed, defaults)!)).toBeNull();
  const again = addFit(changed, { ...fit, ...wantedFit(changed, defaults), key: 'ee'.repeat(32) });
  expect(fitInUse(again, defaults)?.key).toBe('ee'.repeat(32));
  expect(fitInUse({ ...fitted, fits: again.fits }, defaults)).toEqual(fit);
});
const run: UnfinishedFit = { ...wantedFit(used, defaults)!, step: 3, state: 'dd'.repeat(32) };

test('an interrupted run is found by what it was of', () => {
  expect(unfinishedFit({ ...used, unfinishedFit: run }, wantedFit(used, defaults)!)).toEqual(run);
  expect(unfinishedFit(used, wantedFit(used, defaults)!)).toBeNull();
});

test('options of no method of learning are left out', () => {
  const doc = setFitting(used, { options: { steps: 3, magic: 1 } });
  expect(wantedFit(doc, defaults)?.options).toEqual({ steps: 3, sampling: 'guided' });
});

test('a recipe brings back how it was fitted; without a concept it says nothing of it', () => {
  const other = setFitting(fitted, { options: { steps: 5 }, seed: 4 });
  expect(fitInUse(applyRecipe(other, recipe(fitted), null), defaults)).toEqual(fit);
  expect(fitInUse(applyRecipe(used, recipe(fitted), null), defaults)).toBeNull();
  expect(applyRecipe(fitted, recipe(used), null).fitting.on).toBe(false);
  expect(applyRecipe(other, recipe(chooseConcept(used, null)), null).fitting).toEqual(other.fitting);
});

test('a document with fits comes back as it was; what is no fit is refused', () => {
  const doc = { ...setFitting(fitted, { on: false, seed: 7 }), unfinishedFit: run };
  expect(restore(json(doc))).toEqual(doc);
  for (const broken of [{ ...fit, key: 'x' }, { ...fit, steps: -1 }, { ...fit, samples: [{}] }, null]) {
    expect(() => restore(json({ ...doc, fits: [broken] }))).toThrow('not a project');
  }
  expect(() => restore(json({ ...doc, unfinishedFit: { ...run, state: 'x' } }))).toThrow('content id');
  expect(() => restore(json({ ...doc, fitting: { seed: -1 } }))).toThrow('seed');
  expect(() => restoreRecipe({ ...recipe(fitted), fit: { ...fit, id: '../x' } })).toThrow('content id');
});

test('what was fitted to a concept goes with it', () => {
  expect(removeConcept(fitted, 'one')).toEqual(start);
});
