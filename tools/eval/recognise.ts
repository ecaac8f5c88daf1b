import { loadImageEncoder } from '../../src/engine/load-model';
import { resize } from '../../src/formats/resize';
import { toTensor } from '../../src/formats/tensor';
import { clipI, cosine, type ImageEncoder, unit } from '../../src/metrics/clip-image';
import type { Backend } from '../../src/runtime/backend';
import { memoizePromise } from '../../src/util/async';
import type { Pixels } from '../../src/util/pixels';
import { diskTree } from '../disk-tree';
import { type EvalData, type EvalPair, picture, promptOf } from './data';
import type { Lab } from './lab';

/** Names what a picture shows. */
export interface Recogniser {
  /** how, for the report */
  readonly how: string;
  /** the most likely of the set's classes; null: it cannot tell */
  classOf(picture: Pixels, pair: Pick<EvalPair, 'template'>): Promise<string | null>;
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
export const openTower = async (folder: string, backend: Backend): Promise<ImageEncoder> =>
  (await loadImageEncoder(diskTree(folder), backend, '')).encoder;

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

/** Zero-shot by the checkpoint's own pair of towers: the class whose prompt is nearest, in the scene's own words. */
export function clipRecogniser(lab: Lab, data: EvalData, space: ClipSpace): Recogniser {
  const text = memoizePromise(async (prompt: string) => textVector(lab, prompt));
  return {
    how: lab.textProjection
      ? 'class: zero-shot by the CLIP pair of the checkpoint, the scene’s caption with each class word'
      : 'class: not run, the checkpoint has no text projection',
    async classOf(pixels, { template }) {
      if (!lab.textProjection) return null;
      const vector = await space.vector(pixels);
      const scores = await Promise.all(
        data.classes.map(async (name) => cosine(vector, await text(promptOf(template, name)))),
      );
      return data.classes[scores.indexOf(Math.max(...scores))]!;
    },
  };
}

/** CLIP's embedding of a prompt: projected state of the end-of-text token, at length 1. */
async function textVector({ model, textProjection }: Lab, prompt: string): Promise<Float32Array> {
  const { data, shape } = await model.embed(prompt);
  const width = shape[2]!;
  const end = model.tokenizer.encode(prompt).length - 1;
  const state = data.subarray(end * width, (end + 1) * width);
  const { data: weights, shape: sizes } = textProjection!;
  const out = new Float32Array(sizes[0]!);
  for (let row = 0; row < out.length; row++) {
    for (let k = 0; k < width; k++) out[row]! += weights[row * width + k]! * state[k]!;
  }
  return unit(out);
}
