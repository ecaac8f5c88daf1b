import type { ClipVisionConfig } from '../models/clip-config';
import { clipVision } from '../models/clip-vision';
import { fromInputs } from '../models/params';
import { Graph } from '../onnx/graph';
import { compile } from '../runtime/session';
import type { WeightStore } from '../runtime/weights';
import { memoizePromise } from '../util/async';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';

/** What pictures in [0,1] are normalised with, per channel. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** OpenAI CLIP's. FORMATS.md 4.2 */
export const CLIP_NORMALISATION: Normalisation = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/** A CLIP vision tower: pictures → unit vectors whose dot product is CLIP-I. */
export interface ImageEncoder {
  /** side of its pictures, px; resizing is the caller's */
  readonly size: number;
  /**
   * @param picture  [1,3,S,S] in [-1,1]
   * @returns        unit vector [projectionDim]
   * @throws AppError SHAPE
   */
  embed(picture: NdArray): Promise<Float32Array>;
  dispose(): Promise<void>;
}

export function createImageEncoder(
  config: ClipVisionConfig,
  weights: WeightStore,
  { mean, std }: Normalisation = CLIP_NORMALISATION,
): ImageEncoder {
  const { channels, imageSize } = config;
  const shape = [1, channels, imageSize, imageSize];
  const { dtype } = weights;
  const start = memoizePromise(async (_: 'program') => {
    const g = new Graph();
    const pixels = g.feed('pixels', shape);
    const { imageEmbeds } = clipVision(g, fromInputs(g, dtype), pixels, config, { dtype });
    if (!imageEmbeds)
      throw new AppError('UNSUPPORTED_MODEL', 'the image encoder has no projection to CLIP’s space');
    return compile(g, { imageEmbeds }, weights, { label: 'image encoder' });
  });
  return {
    size: imageSize,
    async embed(picture) {
      if (picture.shape.join() !== shape.join()) {
        throw new AppError('SHAPE', `the image encoder sees [${shape}], not [${picture.shape}]`);
      }
      const plane = imageSize * imageSize;
      const data = picture.data.map((v, i) => {
        const c = Math.floor(i / plane);
        return ((v + 1) / 2 - mean[c]!) / std[c]!;
      });
      const { imageEmbeds } = await (await start('program')).run({ pixels: { data, shape } });
      return unit(imageEmbeds!.data);
    },
    async dispose() {
      for (const program of await start.loaded()) await program.dispose();
      weights.dispose();
    },
  };
}

/** Cosine of two unit vectors. @throws AppError SHAPE */
function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new AppError('SHAPE', `${a.length} and ${b.length} values do not compare`);
  return a.reduce((sum, v, i) => sum + v * b[i]!, 0);
}

/** CLIP-I: mean cosine of a picture's vector to those of reference pictures. METHOD.md 8 */
export const clipI = (picture: Float32Array, references: readonly Float32Array[]): number =>
  references.reduce((sum, reference) => sum + cosine(picture, reference), 0) / references.length;

/** @returns the vector at length 1 */
function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, v) => sum + v * v, 0));
  return vector.map((v) => v / length);
}
