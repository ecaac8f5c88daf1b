import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resize } from '../../src/formats/resize';
import { toMask, toTensor } from '../../src/formats/tensor';
import { withArticle } from '../../src/util/article';
import { AppError } from '../../src/util/errors';
import type { NdArray } from '../../src/util/nd-array';
import type { Pixels } from '../../src/util/pixels';
import { readImage } from '../images';

/** A figure to be recognised by its reference pictures. */
export interface Figure {
  readonly id: string;
  readonly class: string;
  readonly references: readonly string[];
}

/** A figure to learn. Pictures are files of the set's folder. */
export interface EvalConcept extends Figure {
  /** other pictures of it, never learned from */
  readonly heldOut: readonly string[];
}

/** A source scene, one concept to put into it, and the picture that a perfect edit would be. */
export interface EvalPair {
  readonly id: string;
  readonly concept: string;
  readonly source: string;
  readonly truth: string;
  /** white where the true edit may change the picture */
  readonly mask: string;
  readonly sourceClass: string;
  /** prompt of the scene; {} is the subject with its article */
  readonly template: string;
}

/** What tools/eval/make_data.py writes. */
export interface EvalData {
  readonly folder: string;
  readonly set: string;
  readonly seed: number;
  /** px along a side */
  readonly size: number;
  readonly classes: readonly string[];
  readonly concepts: readonly EvalConcept[];
  readonly pairs: readonly EvalPair[];
  /** other figures, so that recognising one means something */
  readonly distractors: readonly Figure[];
}

/** @throws AppError BAD_REQUEST with the command that makes the set */
export async function readData(folder: string): Promise<EvalData> {
  const path = join(folder, 'data.json');
  const text = await readFile(path, 'utf8').catch(() => {
    throw new AppError(
      'BAD_REQUEST',
      `there is no ${path}; python tools/eval/make_data.py --set full --out ${folder} draws it`,
    );
  });
  const data = JSON.parse(text) as EvalData & { readonly version: number };
  if (data.version !== 1) throw new AppError('BAD_REQUEST', `${path} is of another version`);
  return { ...data, folder };
}

export const conceptOf = (data: EvalData, id: string): EvalConcept => {
  const concept = data.concepts.find((c) => c.id === id);
  if (!concept) throw new AppError('BAD_REQUEST', `the set has no concept ${id}`);
  return concept;
};

/** A picture of the set at another size. */
export async function picture(data: EvalData, file: string, size: number): Promise<Pixels> {
  return resize(await readImage(join(data.folder, file)), size, size);
}

/** [1,3,S,S] in [-1,1] */
export const tensor = async (data: EvalData, file: string, size: number): Promise<NdArray> =>
  toTensor(await picture(data, file, size));

/** [1,1,S,S], 1 where the true edit may change the picture */
export const mask = async (data: EvalData, { mask: file }: EvalPair, size: number): Promise<NdArray> =>
  toMask(await resize(await readImage(join(data.folder, file)), size, size, 'box'));

/** 'a photo of {} on grass', 'elephant' → 'a photo of an elephant on grass' */
export const promptOf = (template: string, subject: string): string =>
  template.replace('{}', () => withArticle(subject));
