import { expect, test } from 'vitest';
import { newConcept } from './concept-edits';
import {
  endRun,
  keepCheckpoint,
  learnPlan,
  outOfDate,
  putCheckpoint,
  resultOf,
  unfinishedRun,
  withLearned,
} from './concept-learning';
import type { Concept, LearnedConcept, RunCheckpoint } from './document';

const presets = {
  quick: { steps: 200, rank: 4 },
  balanced: { steps: 500, rank: 4 },
  best: { steps: 1000, rank: 8 },
};
const pictures = [0, 1, 2].map((n) => ({
  image: { id: String(n).repeat(64), name: `${n}.jpg`, width: 10, height: 10 },
  square: { x: 0, y: 0, size: 10 },
}));
const concept = newConcept('one', 'starter', { name: 'Miso', classWord: 'cat', pictures });
const learned = (steps: number): LearnedConcept => ({
  id: steps.toString(16).padStart(64, 'a'),
  name: 'Miso',
  token: 'sks',
  classWord: 'cat',
  subject: 'sks cat',
  method: concept.method,
  options: { steps: 501, rank: 4 },
  steps,
  pictures: pictures.map(({ image, square }) => ({ id: image.id, square })),
  seed: 0,
  model: 'starter',
  baseHash: null,
});
const checkpoint = (step: number): RunCheckpoint => ({
  step,
  state: step.toString(16).padStart(64, 'b'),
  learned: learned(step),
});

test('the plan is the preset, each picture equally often, and what a person typed as they typed it', () => {
  expect(learnPlan(concept, presets)).toEqual({
    options: { steps: 501, rank: 4 },
    steps: 501,
    perPicture: 167,
  });
  const typed = learnPlan({ ...concept, preset: 'best', options: { steps: 10, unknown: 1 } }, presets);
  expect(typed).toEqual({ options: { steps: 10, rank: 8 }, steps: 10, perPicture: 10 / 3 });
});

test('what was learned is out of date when what decides it changed', () => {
  const plan = learnPlan(concept, presets);
  const done: Concept = { ...concept, ...withLearned(learned(501)) };
  expect(done.token).toBe('sks');
  expect(outOfDate(concept, plan)).toBe(false);
  expect(outOfDate(done, plan)).toBe(false);
  const changes: Partial<Concept>[] = [
    { classWord: 'dog' },
    { seed: 1 },
    { method: 'other' },
    { pictures: pictures.slice(1) },
  ];
  for (const change of changes) expect(outOfDate({ ...done, ...change }, null)).toBe(true);
  expect(outOfDate({ ...done, preset: 'best' }, learnPlan({ ...done, preset: 'best' }, presets))).toBe(true);
});

test('an interrupted run goes on from its newest checkpoint; ended, only picked ones stay', () => {
  let now: Concept = concept;
  const apply = (change: Partial<Concept>): void => {
    now = { ...now, ...change };
  };
  expect(unfinishedRun(now)).toBeNull();
  for (const step of [10, 20, 30]) apply(putCheckpoint(now, checkpoint(step), []));
  apply(keepCheckpoint(now, checkpoint(20)));
  apply(putCheckpoint(now, checkpoint(40), [checkpoint(10).state]));
  expect(now.checkpoints.map(({ step }) => step)).toEqual([20, 30, 40]);
  expect(unfinishedRun(now)).toEqual(checkpoint(40));
  apply(endRun(now));
  expect(now.checkpoints).toEqual([{ ...checkpoint(20), kept: true }]);
  expect(unfinishedRun(now)).toBeNull();
  // one that the document no longer has, picked when the run was over
  apply(keepCheckpoint(now, checkpoint(40)));
  expect(now.checkpoints.map(({ step, kept }) => [step, kept])).toEqual([
    [20, true],
    [40, true],
  ]);
});

test('the result of a run is kept like a checkpoint, once, and there is nothing in it to resume', () => {
  let now: Concept = { ...concept, ...withLearned(learned(50)) };
  for (const kept of [resultOf(learned(50)), checkpoint(40), resultOf(learned(40))])
    now = { ...now, ...keepCheckpoint(now, kept) };
  expect(now.checkpoints).toEqual([
    { ...resultOf(learned(50)), kept: true },
    { ...checkpoint(40), kept: true },
  ]);
  expect(unfinishedRun(now)).toBeNull();
  expect({ ...now, ...putCheckpoint(now, checkpoint(60), [checkpoint(40).state]) }.checkpoints).toEqual([
    { ...resultOf(learned(50)), kept: true },
    checkpoint(60),
  ]);
});
