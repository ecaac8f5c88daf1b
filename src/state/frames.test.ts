import { expect, test } from 'vitest';
import { recipeOf } from '../document/actions';
import { type Document, emptyDocument, type Take } from '../document/document';
import type { EditMethodInfo } from '../engine/events';
import { cannotBranch, frameOf } from './frames';
import { type Session, session } from './session-store';

const photo = { id: 'a'.repeat(64), name: 'cat.jpg', width: 200, height: 100 };
const doc: Document = {
  ...emptyDocument,
  photo,
  square: { x: 0, y: 0, size: 100 },
  sourcePrompt: 'a cat',
  targetPrompt: 'a dog',
};
const take: Take = {
  id: 'one',
  recipe: recipeOf(doc, photo, { steps: 60 }, null),
  square: photo,
  reconstruction: photo,
  maskUsed: null,
  steps: 60,
  stopped: false,
  frames: 'f'.repeat(64),
};
const method = (name: string, branches: boolean): EditMethodInfo => ({
  name,
  label: name.toUpperCase(),
  help: '',
  defaults: { steps: 60 },
  withConcept: {},
  fields: {},
  branches,
});
const now: Session = {
  ...session(),
  engine: 'ready',
  info: {
    methods: [method('dds-sm', true), method('p2p', false)],
    model: { id: 'starter' },
  } as unknown as Session['info'],
};

test('without a frame of its own a take shows its result', () => {
  expect(frameOf(now, take)).toEqual({ index: 59, of: 'picture' });
  const frame = { take: 'one', index: 3, of: 'direction', drawn: null } as const;
  expect(frameOf({ ...now, frame }, take)).toMatchObject({ index: 3, of: 'direction' });
  expect(frameOf({ ...now, frame: { ...frame, take: 'another' } }, take)).toMatchObject({ index: 59 });
});

test('an edit goes on where there is something left to do, on the same photo, by a method that can', () => {
  expect(cannotBranch(doc, now, take, 10)).toBeNull();
  expect(cannotBranch(doc, now, take, 59)).toMatch(/All 60 steps/);
  expect(cannotBranch({ ...doc, options: { steps: 80 } }, now, take, 59)).toBeNull();
  expect(cannotBranch({ ...doc, options: { steps: 8 } }, now, take, 10)).toMatch(/All 8 steps/);
  expect(cannotBranch({ ...doc, method: 'p2p' }, now, take, 10)).toMatch(/P2P/);
  expect(cannotBranch({ ...doc, targetPrompt: '' }, now, take, 10)).toMatch(/change to/);
  expect(cannotBranch({ ...doc, photo: { ...photo, id: 'b'.repeat(64) } }, now, take, 10)).toMatch(/photo/);
});
