import { expect, test } from 'vitest';
import { applyRecipe, leaveBranch, recipeOf, setPhoto, setSquare } from './actions';
import { branchAt } from './branch';
import { type Document, emptyDocument, type Take } from './document';
import { restore, restoreRecipe } from './migrations';

const photo = { id: 'a'.repeat(64), name: 'cat.jpg', width: 200, height: 100 };
const doc: Document = { ...emptyDocument, photo, square: { x: 10, y: 0, size: 90 }, seed: 5 };
const recipe = recipeOf(doc, photo, { steps: 60 }, null);
const take: Take = {
  id: 'one',
  recipe,
  square: photo,
  reconstruction: photo,
  maskUsed: null,
  steps: 60,
  stopped: false,
  frames: 'f'.repeat(64),
};
const from = { frames: 'f'.repeat(64), frame: 23 };

test('a branch goes on from the step on its square with the settings at hand', () => {
  const turned = { ...doc, seed: 9, square: { x: 0, y: 0, size: 50 } };
  const branch = branchAt(turned, take, 23)!;
  expect(recipeOf(branch, photo, { steps: 60 }, null)).toEqual({ ...recipe, seed: 9, from });
  expect(branchAt(doc, { ...take, frames: undefined as never }, 3)).toBeNull();
  expect(branchAt({ ...doc, photo: { ...photo, id: 'c'.repeat(64) } }, take, 3)).toBeNull();
});

test('a recipe that goes on from a step does so until the photo or the square changes', () => {
  const branch = applyRecipe(doc, { ...recipe, from }, null);
  expect(recipeOf(branch, photo, { steps: 60 }, null)).toEqual({ ...recipe, from });
  for (const left of [leaveBranch(branch), setPhoto(branch, photo), setSquare(branch, branch.square!)]) {
    expect('from' in left).toBe(false);
  }
});

test('branches survive being stored; what is no content id or step does not', () => {
  expect(restoreRecipe(JSON.parse(JSON.stringify({ ...recipe, from })))).toEqual({ ...recipe, from });
  expect(restore(JSON.parse(JSON.stringify({ ...doc, from, takes: [take] })))).toMatchObject({
    from,
    takes: [take],
  });
  expect(() => restoreRecipe({ ...recipe, from: { ...from, frames: '../x' } })).toThrow(/content id/);
  expect(() => restoreRecipe({ ...recipe, from: { ...from, frame: -1 } })).toThrow(/whole number/);
});
