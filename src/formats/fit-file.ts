/** A concept fitted to one photo, in a file: a concept file that says what it came from and what decided it. */
import type { ByteSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import { type Concept, readConcept } from './concept';
import type { ConceptBase } from './concept-base';
import { type ConceptContext, saveConcept } from './concept-export';
import { ownMetadata } from './concept-metadata';

export interface FitFile {
  /** what it changes in the base */
  readonly concept: Concept;
  /** SHA-256 of the concept's file */
  readonly parent: string;
  /** SHA-256 of everything that decided it */
  readonly key: string;
  /** true: on top of the concept; false: in its place, so that other programs can use it like any concept */
  readonly onTop: boolean;
  /** steps that it was fitted for */
  readonly steps: number;
}

/** Exact: `readFit` gives it back number for number. @throws AppError BAD_REQUEST for an empty one */
export const saveFit = (
  { concept, parent, key, onTop }: Omit<FitFile, 'steps'>,
  { base, about }: ConceptContext,
): Promise<Uint8Array<ArrayBuffer>> =>
  saveConcept(concept, { base, about: { ...about, parent, fit: { key, onTop } } });

/** @throws AppError BAD_FILE when it is damaged or no fit; UNSUPPORTED_MODEL when it was made for another base */
export async function readFit(source: ByteSource, base: ConceptBase): Promise<FitFile> {
  const { concept, metadata } = await readConcept(source, base);
  const { parent, fit_key: key, fit_on_top: onTop, steps } = ownMetadata(metadata);
  if (!isHash(parent) || !isHash(key) || (onTop !== 'true' && onTop !== 'false')) {
    throw new AppError('BAD_FILE', `${source.name} is a concept, but not one that was fitted to a photo`);
  }
  const done = Number(steps);
  return {
    concept,
    parent,
    key,
    onTop: onTop === 'true',
    steps: Number.isSafeInteger(done) && done >= 0 ? done : 0,
  };
}

const isHash = (text: string | undefined): text is string => /^[0-9a-f]{64}$/.test(text ?? '');
