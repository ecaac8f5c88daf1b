import { expect, test } from 'vitest';
import {
  addFit,
  addTake,
  chooseConcept,
  putConcept,
  setPhoto,
  setPrompts,
  setSquare,
} from '../document/actions';
import { newConcept } from '../document/concept-edits';
import { type Document, emptyDocument, type FittedConcept, type Take } from '../document/document';
import { setFitting, wantedFit } from '../document/fits';
import type { EngineInfo } from '../engine/events';
import { notRunnable } from './chain';
import { recipeNow } from './edits';
import { needsFit, notFittable } from './fit-plan';
import { type Fitting, type Session, sessionStore } from './session-store';
import { type Stage, stagesOf } from './stages';

const fitDefaults = { '': { steps: 40, sampling: 'guided' } };
const presets = { quick: { steps: 8 }, balanced: { steps: 8 }, best: { steps: 8 } };
const info = {
  model: { id: 'starter' },
  methods: [{ name: 'dds-sm', defaults: { steps: 60 }, withConcept: {} }],
  learnMethods: [{ name: 'dreambooth-lora', presets }],
  fitOptions: { fields: {}, defaults: fitDefaults },
} as unknown as EngineInfo;
const ready: Session = { ...sessionStore.getState(), engine: 'ready', info };
const photo = { id: 'ab'.repeat(32), name: 'cat.jpg', width: 400, height: 300 };
const picture = { image: { ...photo, id: 'cd'.repeat(32) }, square: { x: 0, y: 0, size: 300 } };
const start = setPrompts(setPhoto(emptyDocument, photo), { sourcePrompt: 'a photo of a cat' });
const concept = newConcept('one', 'starter', { name: 'Miso', classWord: 'cat', pictures: [picture] });
const planned = chooseConcept(putConcept(start, concept), 'one');
const learned = {
  id: 'ef'.repeat(32),
  name: 'Miso',
  token: 'sks',
  classWord: 'cat',
  subject: 'sks cat',
  method: 'dreambooth-lora',
  options: { steps: 8 },
  steps: 8,
  pictures: [{ id: picture.image.id, square: picture.square }],
  seed: 0,
  model: 'starter',
  baseHash: null,
};
const ready2 = putConcept(planned, { ...concept, learned });
const made = (doc: Document): FittedConcept => ({
  ...wantedFit(doc, fitDefaults)!,
  id: '12'.repeat(32),
  key: '34'.repeat(32),
  steps: 40,
  samples: [],
});
const fitted = addFit(ready2, made(ready2));
const words = (doc: Document, now: Session = ready): string[] =>
  stagesOf(doc, now).map(({ name, words: said }: Stage) => `${name}: ${said}`);
const fitting: Fitting = {
  name: 'Miso',
  phase: 'running',
  stage: 'fit',
  fraction: null,
  step: 3,
  total: 40,
  secondsLeft: null,
  photo: photo.id,
  square: start.square!,
  preview: null,
};

test('every stage says how it stands', () => {
  expect(words(start)).toEqual([]);
  expect(words(planned)).toEqual(['learn: to do', 'fit: to do', 'edit: to do']);
  expect(words(ready2)).toEqual(['learn: up to date', 'fit: to do', 'edit: to do']);
  expect(words(fitted)).toEqual(['learn: up to date', 'fit: up to date', 'edit: to do']);
  expect(words(setSquare(fitted, { x: 1, y: 0, size: 200 }))[1]).toBe('fit: out of date: the square moved');
  expect(words(setPrompts(fitted, { targetPrompt: 'a photo of a cat, asleep' }))[1]).toBe(
    'fit: out of date: the wish changed',
  );
  expect(words(setFitting(fitted, { on: false }))[1]).toBe('fit: off');
  expect(words(ready2, { ...ready, fitting })[1]).toBe('fit: 3 of 40');
  const run = { ...wantedFit(ready2, fitDefaults)!, step: 3, state: '56'.repeat(32) };
  expect(words({ ...ready2, unfinishedFit: run })[1]).toBe('fit: stopped at step 3 of 40');
  const begun = { ...run, step: 0 };
  expect(words({ ...ready2, unfinishedFit: begun })[1]).toBe('fit: stopped before step 1');
  expect(words(putConcept(fitted, { ...concept, learned, seed: 4 }))[0]).toBe('learn: changed since');
});

test('an edit that was made is up to date until something that decides it changes', () => {
  sessionStore.setState({ info });
  const recipe = recipeNow(fitted, photo, info.methods[0]!);
  expect(recipe.fit?.id).toBe('12'.repeat(32));
  const done = addTake(fitted, { id: 't', recipe } as Take);
  expect(words(done)[2]).toBe('edit: up to date');
  expect(words({ ...done, seed: 5 })).toEqual(['learn: up to date', 'fit: up to date', 'edit: to do']);
});

test('Run does what is missing, and says what it lacks', () => {
  expect(notRunnable(planned, ready)).toBeNull();
  expect(notRunnable(putConcept(planned, { ...concept, name: '' }), ready)).toBe('Give it a name.');
  expect(notRunnable({ ...planned, photo: null }, ready)).toBe('Open a photo to begin.');
  expect(notFittable(planned, ready)).toBe('Miso is not learned yet.');
  expect([needsFit(ready2, ready), needsFit(fitted, ready)]).toEqual([true, false]);
  expect(needsFit(setFitting(ready2, { on: false }), ready)).toBe(false);
  expect(notRunnable(ready2, { ...ready, fitting })).toBe('It is being fitted.');
  expect(notRunnable(ready2, { ...ready, chain: true })).toBe('It is running.');
});
