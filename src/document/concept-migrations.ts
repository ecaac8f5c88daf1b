import {
  type Concept,
  type ConceptCheckpoint,
  type ConceptPicture,
  type ConceptRef,
  emptyDocument,
  type FitOf,
  type FitRef,
  type FitSettings,
  type FittedConcept,
  type LearnedConcept,
  type UnfinishedFit,
} from './document';
import { blobId, image, integer, type Json, list, maxSide, options, record, square, text } from './fields';

const maxSteps = 10_000_000;

/** A concept as a recipe names it, checked field by field. @throws AppError BAD_FILE */
export function restoreConceptRef(value: unknown): ConceptRef {
  const it = record(value, 'the concept');
  return {
    id: blobId(it.id, 'the concept'),
    name: text(it.name, 'the name of the concept'),
    token: text(it.token, 'the word of the concept'),
    classWord: text(it.classWord, 'what the concept is'),
    subject: text(it.subject, 'the words of the concept'),
    ...(it.method != null && { method: text(it.method, 'the learning method') }),
  };
}

/** A fit as a recipe names it, checked field by field. @throws AppError BAD_FILE */
export function restoreFitRef(value: unknown): FitRef {
  const it = record(value, 'the fit');
  return {
    id: blobId(it.id, 'the fit'),
    key: blobId(it.key, 'what decided the fit'),
    options: options(it.options),
    seed: seed(it.seed ?? 0),
  };
}

/** A fit of a stored document, checked field by field. @throws AppError BAD_FILE */
export function restoreFit(value: unknown): FittedConcept {
  const it = record(value, 'a fit');
  return {
    ...restoreFitRef(it),
    ...restoreFitOf(it),
    steps: integer(it.steps, 0, maxSteps, 'the steps of a fit'),
    samples: list(it.samples, (sample) => image(sample, 'a sample of a fit'), 'the samples of a fit'),
  };
}

/** A run of fitting that can be gone on with, checked field by field. @throws AppError BAD_FILE */
export function restoreUnfinishedFit(value: unknown): UnfinishedFit {
  const it = record(value, 'the unfinished fit');
  return {
    ...restoreFitOf(it),
    step: integer(it.step, 0, maxSteps, 'the step of the unfinished fit'),
    state: blobId(it.state, 'the state of the unfinished fit'),
  };
}

/** How concepts are fitted, checked field by field; absent: as a new document has it. @throws AppError BAD_FILE */
export function restoreFitSettings(value: unknown): FitSettings {
  if (value == null) return emptyDocument.fitting;
  const it = record(value, 'the settings of fitting');
  return { on: it.on !== false, options: options(it.options), seed: seed(it.seed) };
}

const restoreFitOf = (it: Json): FitOf => ({
  concept: blobId(it.concept, 'the concept of a fit'),
  // there was one model then
  model: text(it.model ?? emptyDocument.model, 'the model of a fit'),
  photo: blobId(it.photo, 'the photo of a fit'),
  square: square(it.square, anySize, 'the square of a fit'),
  sourcePrompt: text(it.sourcePrompt, 'what the photo of a fit shows'),
  targetPrompt: text(it.targetPrompt, 'the target prompt of a fit'),
  options: options(it.options),
  seed: seed(it.seed),
});

const seed = (value: unknown): number => integer(value, 0, Number.MAX_SAFE_INTEGER, 'the seed of a fit');

const anySize = { width: maxSide, height: maxSide };

function restoreSquareOf(value: unknown): LearnedConcept['pictures'][number] {
  const it = record(value, 'a picture learned from');
  return { id: blobId(it.id, 'a picture'), square: square(it.square, anySize, 'the square of a picture') };
}

function restoreLearned(value: unknown): LearnedConcept {
  const it = record(value, 'what was learned');
  return {
    ...restoreConceptRef(it),
    method: text(it.method, 'the learning method'),
    options: options(it.options),
    steps: integer(it.steps, 0, maxSteps, 'the steps learned'),
    pictures: list(it.pictures, restoreSquareOf, 'the pictures learned from'),
    seed: integer(it.seed ?? 0, 0, Number.MAX_SAFE_INTEGER, 'the seed of a concept'),
    model: text(it.model, 'the model of the concept'),
    baseHash: it.baseHash == null ? null : blobId(it.baseHash, 'the base of the concept'),
  };
}

function restoreCheckpoint(value: unknown): ConceptCheckpoint {
  const it = record(value, 'a checkpoint');
  return {
    step: integer(it.step, 0, maxSteps, 'the step of a checkpoint'),
    state: it.state === null ? null : blobId(it.state, 'a checkpoint'),
    learned: restoreLearned(it.learned),
    ...(it.kept === true && { kept: true }),
  };
}

function restorePicture(value: unknown): ConceptPicture {
  const it = record(value, 'a picture of a concept');
  const picture = image(it.image, 'a picture of a concept');
  return { image: picture, square: square(it.square, picture, 'the square of a picture') };
}

/** A concept of a stored document, checked field by field. @throws AppError BAD_FILE */
export function restoreConcept(value: unknown): Concept {
  const it = record(value, 'a concept');
  const { preset } = it;
  const checkpoints = list(it.checkpoints, restoreCheckpoint, 'the checkpoints of a concept');
  return {
    id: text(it.id, 'the id of a concept'),
    name: text(it.name, 'the name of a concept'),
    classWord: text(it.classWord, 'what a concept is'),
    token: text(it.token, 'the word of a concept'),
    pictures: list(it.pictures, restorePicture, 'the pictures of a concept'),
    method: text(it.method, 'the learning method'),
    preset: preset === 'quick' || preset === 'best' ? preset : 'balanced',
    options: options(it.options),
    seed: integer(it.seed, 0, Number.MAX_SAFE_INTEGER, 'the seed of a concept'),
    model: text(it.model, 'the model of a concept'),
    learned: it.learned == null ? null : restoreLearned(it.learned),
    checkpoints,
    unfinished: checkpoints.find(({ state }) => state !== null && state === it.unfinished)?.state ?? null,
  };
}
