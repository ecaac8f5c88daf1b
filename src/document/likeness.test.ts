import { expect, test } from 'vitest';
import { applyRecipe, chooseConcept, putConcept, recipeOf, setOption, setPhoto } from './actions';
import { newConcept } from './concept-edits';
import { type Document, emptyDocument } from './document';
import { fitOptions, setFitting } from './fits';
import { editBase, setLikeness } from './likeness';

const photo = { id: 'ab'.repeat(32), name: 'cat.jpg', width: 400, height: 300 };
const concept = newConcept('one', 'starter', { name: 'Miso', classWord: 'cat' });
const doc: Document = chooseConcept(putConcept(setPhoto(emptyDocument, photo), concept), 'one');
const learned = {
  ...concept,
  id: 'cd'.repeat(32),
  subject: 'sks cat',
  steps: 1,
  pictures: [],
  baseHash: null,
};
const fit = { '': { steps: 40, modeShift: 1, gamma: 0.1 } };
const edit = { stepSize: 0.5, maskPower: 2, steps: 60 };
const method = { defaults: { steps: 9 }, withConcept: { '': edit, dreambooth: { stepSize: 1 } } };

test('in the middle nothing changes; to the right both stages follow', () => {
  expect([fitOptions(doc, fit), editBase(doc, method)]).toEqual([fit[''], edit]);
  const right = setLikeness(doc, 100);
  expect(fitOptions(right, fit)).toEqual({ steps: 20, modeShift: 4, gamma: 0.1 });
  expect(editBase(right, method)).toEqual({ stepSize: 0.75, maskPower: 1, steps: 60 });
});

test('without a concept there is nothing to look like', () => {
  expect(editBase(chooseConcept(setLikeness(doc, 100), null), method)).toBe(method.defaults);
});

test('how the concept was learned, not how it would be learned next, says what suits its edits', () => {
  const next = putConcept(doc, { ...concept, method: 'dreambooth' });
  expect(editBase(next, method)).toEqual(method.withConcept.dreambooth);
  const before = putConcept(doc, { ...concept, method: 'dreambooth', learned });
  expect(editBase(before, method)).toEqual(edit);
});

test('what was set by hand wins until the slider moves; what does not follow it stays', () => {
  const byHand = setOption(setOption(setLikeness(doc, 100), 'stepSize', 0.1), 'steps', 9);
  const both = setFitting(byHand, { options: { steps: 7, gamma: 1 } });
  expect(fitOptions(both, fit)).toEqual({ steps: 7, modeShift: 4, gamma: 1 });
  const moved = setLikeness(both, 0);
  expect(moved.options).toEqual({ steps: 9 });
  expect(fitOptions(moved, fit)).toEqual({ steps: 50, modeShift: 0.25, gamma: 1 });
});

test('settings of a take are all written out: the slider is back in the middle', () => {
  const right = putConcept(setLikeness(doc, 100), { ...concept, learned });
  const recipe = recipeOf(right, photo, editBase(right, method), null);
  expect(recipe.options.stepSize).toBe(0.75);
  const again = applyRecipe(right, recipe, null);
  expect([again.likeness, again.options.stepSize]).toEqual([50, 0.75]);
});
