import type { Net, Params } from '../models/params';
import { fromInputs, noTap } from '../models/params';
import { checkWeights, recordWeights } from '../models/weights';
import { Graph, type Value } from '../onnx/graph';
import { concat, slice } from '../onnx/movement';
import * as op from '../onnx/ops';
import type { Backend } from '../runtime/backend';
import { compile } from '../runtime/session';
import { type WeightSource, WeightStore } from '../runtime/weights';
import { memoizePromise } from '../util/async';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import { LPIPS_NETS, type LpipsNetName, lpipsFeatures } from './lpips-nets';

/** ImageNet's statistics for pictures in [-1,1], per channel: `ScalingLayer` of the reference. FORMATS.md 4.2 */
const SHIFT = [-0.03, -0.088, -0.188];
const SCALE = [0.458, 0.448, 0.45];
const EPS = 1e-10;

/** A perceptual distance. */
export interface Lpips {
  /**
   * @param a  picture [1,3,H,W] in [-1,1], `b` another of its size
   * @returns  0 for equal pictures, about 1 for unrelated ones
   * @throws AppError SHAPE
   */
  distance(a: NdArray, b: NdArray): Promise<number>;
  dispose(): Promise<void>;
}

/**
 * LPIPS v0.1 with supplied weights: a torchvision backbone (`features.N…`) and the linear heads (`linK.model.1…`), in
 * one source or two, or the whole module of the `lpips` package (`net.sliceI.N…`, `lins.K…`).
 *
 * @throws AppError MISSING_WEIGHT when the sources are not this network
 * @see Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features", arXiv:1801.03924; METHOD.md 8
 */
export function createLpips(name: LpipsNetName, backend: Backend, sources: readonly WeightSource[]): Lpips {
  const source = canonicalSource(name, sources);
  const widthOf = (conv: string): number => source.shapes.get(`${conv}.weight`)![0]!;
  const weights = new WeightStore(backend, source, { label: `LPIPS (${name})` });
  const programFor = memoizePromise(async (size: string) => {
    const [height, width] = size.split('x').map(Number) as [number, number];
    const g = new Graph();
    const pictures = ['a', 'b'].map((feed) => g.feed(feed, [1, 3, height, width]));
    const distance = lpips(g, fromInputs(g), name, widthOf, pictures[0]!, pictures[1]!);
    return compile(g, { distance }, weights, { label: weights.label });
  });
  return {
    async distance(a, b) {
      if (a.shape.length !== 4 || a.shape.join() !== b.shape.join()) {
        throw new AppError('SHAPE', `pictures [${a.shape}] and [${b.shape}] cannot be compared`);
      }
      const program = await programFor(a.shape.slice(2).join('x'));
      return (await program.run({ a, b })).distance!.data[0]!;
    },
    async dispose() {
      for (const program of await programFor.loaded()) await program.dispose();
      weights.dispose();
    },
  };
}

/**
 * Σ over features of the spatial mean of a head's weighted squared difference of unit vectors.
 *
 * @param widthOf  output channels of a convolution of the backbone, by name
 * @returns        [1]
 */
function lpips(
  g: Graph,
  params: Params,
  name: LpipsNetName,
  widthOf: (conv: string) => number,
  a: Value,
  b: Value,
): Value {
  const net: Net = { g, params, tap: noTap };
  const constant = (values: readonly number[]) => g.constant(values, [1, 3, 1, 1]);
  const pictures = op.div(g, op.sub(g, concat(g, [a, b], 0), constant(SHIFT)), constant(SCALE));
  const distances = lpipsFeatures(net, LPIPS_NETS[name], widthOf, pictures).map((feature, k) => {
    const length = op.add(g, op.reduceL2(g, feature, [1]), op.scalar(g, EPS));
    const unit = op.div(g, feature, length);
    const [u, v] = [0, 1].map((i) => slice(g, unit, [i], [i + 1], [0])) as [Value, Value];
    const difference = op.sub(g, u, v);
    const head = params(`lin${k}.model.1.weight`, [1, feature.shape[1]!, 1, 1]);
    return op.reduceMean(g, op.conv(g, op.mul(g, difference, difference), head), [1, 2, 3], false);
  });
  return distances.reduce((sum, d) => op.add(g, sum, d));
}

/** The file's key → ours; null: nothing that the distance needs. */
const canonical = (key: string): string | null => {
  if (/^(scaling_layer|classifier)\./.test(key)) return null;
  return key.replace(/^net\.slice\d+\./, 'features.').replace(/^lins\.(\d+)\./, 'lin$1.');
};

/** All sources as one, under our names. @throws AppError MISSING_WEIGHT */
function canonicalSource(name: LpipsNetName, sources: readonly WeightSource[]): WeightSource {
  const owners = new Map(
    sources.flatMap((source) => [...source.shapes.keys()].map((key) => [key, source] as const)),
  );
  const tensors = new Map([...owners].map(([key, { shapes }]) => [key, { shape: shapes.get(key)! }]));
  const stored = new Map([...tensors].map(([key, { shape }]) => [canonical(key), shape]));
  // widths come from the file, so that the same code reads any width; a file without a convolution fits none
  const widthOf = (conv: string): number => stored.get(`${conv}.weight`)?.[0] ?? 1;
  const expected = recordWeights((g, params) => {
    const [a, b] = ['a', 'b'].map((feed) => g.feed(feed, [1, 3, 64, 64])) as [Value, Value];
    lpips(g, params, name, widthOf, a, b);
  });
  const { keys } = checkWeights(expected, tensors, canonical);
  return {
    shapes: expected,
    async load(weight) {
      const key = keys.get(weight)!;
      return { ...(await owners.get(key)!.load(key)), shape: expected.get(weight)! };
    },
  };
}
