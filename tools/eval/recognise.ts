import { loadImageEncoder } from '../../src/engine/load-model';
import { resize } from '../../src/formats/resize';
import { toTensor } from '../../src/formats/tensor';
import { clipI, type ImageEncoder } from '../../src/metrics/clip-image';
import type { Backend } from '../../src/runtime/backend';
import { memoizePromise } from '../../src/util/async';
import type { Pixels } from '../../src/util/pixels';
import { diskTree } from '../disk-tree';
import { type EvalData, picture } from './data';
import type { Judge } from './judge';

/** Names what a picture shows. */
export interface Recogniser {
  /** how, for the report */
  readonly how: string;
  /** the most likely of the set's classes */
  classOf(picture: Pixels): Promise<string>;
}

/** Pictures as unit vectors of one CLIP tower, those of the set remembered. */
export interface ClipSpace {
  vector(pixels: Pixels): Promise<Float32Array>;
  /** of pictures of the set, by file */
  vectors(files: readonly string[]): Promise<Float32Array[]>;
}

export function clipSpace(data: EvalData, encoder: ImageEncoder): ClipSpace {
  const vector = async (pixels: Pixels): Promise<Float32Array> =>
    encoder.embed(toTensor(await resize(pixels, encoder.size, encoder.size)));
  const ofFile = memoizePromise(async (file: string) => vector(await picture(data, file, encoder.size)));
  return { vector, vectors: (files) => Promise.all(files.map(ofFile)) };
}

/** A tower that a user supplies, e.g. ViT-B/32. */
export const openTower = (folder: string, backend: Backend): Promise<ImageEncoder> =>
  loadImageEncoder(diskTree(folder), backend, '');

/** The figure of the set, concept or distractor, whose reference pictures are nearest by CLIP-I. */
export async function nearestFigure(data: EvalData, space: ClipSpace, pixels: Pixels): Promise<string> {
  const vector = await space.vector(pixels);
  let best = { id: '', likeness: Number.NEGATIVE_INFINITY };
  for (const { id, references } of [...data.concepts, ...data.distractors]) {
    const likeness = clipI(vector, await space.vectors(references));
    if (likeness > best.likeness) best = { id, likeness };
  }
  return best.id;
}

/** The class that the judge finds most likely. */
export const classRecogniser = ({ classes, size, logits }: Judge): Recogniser => ({
  how: 'class: by the classifier of tools/starter/classifier.py, which never saw these figures',
  async classOf(pixels) {
    const scores = await logits(toTensor(await resize(pixels, size, size)));
    return classes[scores.indexOf(Math.max(...scores))]!;
  },
});
