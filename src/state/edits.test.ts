import { expect, test } from 'vitest';
import { setPhoto } from '../document/actions';
import { subjectOf } from '../document/concepts';
import { type Concept, type Document, emptyDocument } from '../document/document';
import type { EngineInfo } from '../engine/events';
import { exampleOf, notReady } from './edits';
import { exportName } from './exports';
import { type Session, sessionStore } from './session-store';

const info = { methods: [{ name: 'dds-sm' }], model: { id: 'starter' } } as unknown as EngineInfo;
const ready: Session = { ...sessionStore.getState(), engine: 'ready', info };
const photo = { id: 'ab'.repeat(32), name: 'IMG 1.final.jpg', width: 400, height: 300 };
const complete: Document = {
  ...setPhoto(emptyDocument, photo),
  sourcePrompt: 'a cat',
  targetPrompt: 'a dog',
};

test.each<[string, Document, Session, string | null]>([
  ['nothing is missing', complete, ready, null],
  ['there is no photo', { ...complete, photo: null }, ready, 'Open a photo to begin.'],
  ['the source is blank', { ...complete, sourcePrompt: ' ' }, ready, 'Say what the photo shows.'],
  ['the target is blank', { ...complete, targetPrompt: '' }, ready, 'Say what it should change to.'],
  ['both are the same', { ...complete, targetPrompt: 'a cat ' }, ready, 'The two descriptions are the same.'],
  ['the engine starts', complete, { ...ready, engine: 'starting', info: null }, 'The engine is starting.'],
  ['the engine failed', complete, { ...ready, engine: 'failed' }, 'The engine did not start.'],
  ['its model is opened', { ...complete, model: 'mine' }, ready, 'The model is being opened.'],
  ['its model is gone', { ...complete, model: 'mine' }, { ...ready, noModel: 'Not here.' }, 'Not here.'],
  ['the method is unknown', { ...complete, method: 'magic' }, ready, 'The method “magic” is not known here.'],
])('run is refused in words: %s', (_, doc, session, words) => {
  expect(notReady(doc, session)).toBe(words);
});

test('with a concept that has no place in the words, run is refused with the field and an example', () => {
  const concept = { id: 'one', name: 'Miso', classWord: 'cat', learned: null } as unknown as Concept;
  const doc = { ...complete, sourcePrompt: 'a duck', targetPrompt: '', concepts: [concept], concept: 'one' };
  expect(notReady(doc, ready, true)).toBe(
    'In “Change to”, say where Miso goes, such as “a photo of Miso on a beach”.',
  );
  expect(notReady({ ...doc, targetPrompt: exampleOf(concept) }, ready, true)).toBeNull();
});

test('the subject is found, unless it was corrected', () => {
  expect(subjectOf(complete)).toBe('cat');
  expect(subjectOf({ ...complete, subject: 'whiskers' })).toBe('whiskers');
});

test('a suggested file name has the photo’s name and what was put in, and nothing a file system refuses', () => {
  const recipe = { sourcePrompt: 'a cat', targetPrompt: 'a dog: "Rex"/2', photo };
  const take = { id: 't', recipe } as unknown as Document['takes'][number];
  expect(exportName({ ...complete, takes: [take], shown: 't' })).toBe('IMG-1-final-dog-Rex-2');
  const replaced = setPhoto(complete, { ...photo, id: 'cd'.repeat(32), name: 'other.png' });
  expect(exportName({ ...replaced, takes: [take], shown: 't' })).toBe('photo-dog-Rex-2');
});
