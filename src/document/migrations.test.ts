import { expect, test } from 'vitest';
import { AppError } from '../util/errors';
import { type Document, emptyDocument } from './document';
import { restore, restoreRecipe } from './migrations';

const id = 'ab'.repeat(32);
const photo = { id, name: 'cat.jpg', width: 400, height: 300 };
/** A project as version 1 stored it. Never edited: a later version adds its own beside it. */
const version1: Omit<Document, 'fits' | 'fitting' | 'likeness' | 'unfinishedFit'> = {
  version: 1,
  photo,
  square: { x: 20, y: 30, size: 200 },
  mask: { id: 'cd'.repeat(32), name: 'mask.png', width: 400, height: 300 },
  sourcePrompt: 'a cat',
  targetPrompt: 'a dog',
  subject: null,
  method: 'dds-sm',
  seed: 7,
  options: { steps: 60, live: true, mode: 'soft' },
  model: 'starter',
  concepts: [],
  concept: null,
  takes: [
    {
      id: 'one',
      recipe: {
        app: 'DreamSteerer Studio',
        version: 1,
        model: 'starter',
        method: 'dds',
        sourcePrompt: 'a cat',
        targetPrompt: 'a dog',
        subject: 'cat',
        seed: 7,
        options: { steps: 60 },
        photo: { id, width: 400, height: 300 },
        square: { x: 20, y: 30, size: 200 },
        mask: null,
        concept: null,
      },
      square: { id: 'ef'.repeat(32), name: 'take.png', width: 128, height: 128 },
      reconstruction: { id: '12'.repeat(32), name: 'reconstruction.png', width: 128, height: 128 },
      maskUsed: { id: '34'.repeat(32), name: 'mask.png', width: 128, height: 128 },
      steps: 31,
      stopped: true,
    },
  ],
  shown: 'one',
};
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const broken = (change: object): unknown => ({ ...(json(version1) as object), ...change });

test('a project of version 1 comes back as it was', () => {
  expect(restore(json(version1))).toEqual({ ...emptyDocument, ...version1 });
  expect(restore(json(emptyDocument))).toEqual(emptyDocument);
});

test('missing fields take their defaults and stray ones are dropped', () => {
  expect(restore({ version: 1, hello: 'world' })).toEqual(emptyDocument);
  expect(restore(broken({ options: { steps: 5, deep: { a: 1 } } })).options).toEqual({ steps: 5 });
});

test('a square outside the photo is brought inside, and a take that is gone is not shown', () => {
  const doc = restore(broken({ square: { x: 390, y: -5, size: 1000 }, shown: 'gone' }));
  expect(doc.square).toEqual({ x: 100, y: 0, size: 300 });
  expect(doc.shown).toBeNull();
});

test.each([
  ['nothing', null],
  ['text', 'hello'],
  ['a list', []],
  ['a later version', { version: 2 }],
  ['no version', {}],
  ['a photo without an id', broken({ photo: { ...photo, id: '../etc' } })],
  ['a photo of absurd size', broken({ photo: { ...photo, width: 1e9 } })],
  ['takes that are no list', broken({ takes: { length: 1 } })],
  ['a seed below zero', broken({ seed: -1 })],
  ['a prompt that is a number', broken({ sourcePrompt: 5 })],
])('%s is refused', (_, value) => {
  expect(() => restore(value)).toThrow(AppError);
});

test('a recipe of another program or version is refused', () => {
  const recipe = version1.takes[0]!.recipe;
  expect(restoreRecipe(json(recipe))).toEqual(recipe);
  expect(() => restoreRecipe({ ...recipe, app: 'Other' })).toThrow('another program');
  expect(() => restoreRecipe({ ...recipe, version: 2 })).toThrow('version 2');
});
