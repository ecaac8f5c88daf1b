/** Reference gradients (`grad.*`) against ours: reverse mode over the graph that the forward was compared with. */
import { grad } from '../../src/autodiff/grad';
import { COMPONENTS } from '../../src/models/components';
import type { Graph, Value } from '../../src/onnx/graph';
import * as op from '../../src/onnx/ops';
import type { NdArray } from '../../src/util/nd-array';
import type { Built } from './components';

export const GRADIENT_TOLERANCE = 1e-3;
export const COSINE_TOLERANCE = 0.9999;
/**
 * Gradients are sums of float32 terms as large as the file's largest, so each carries about 1e-7 of that as rounding
 * noise. One smaller than this fraction of the largest (e.g. of a bias that a norm cancels) is judged on that scale.
 */
const NOISE = 1e-4;

/** A gradient to compute, and how its data becomes the reference's. */
export interface GradientOf {
  readonly value: Value;
  readonly finish: (data: Float32Array) => Float32Array;
}

/** Without a target, what the loss is the mean square of: the first of these that was built. */
const MAIN_OUTPUTS = [
  'out.sample',
  'out.image_embeds',
  'out.last_hidden_state',
  'out.decoded',
  'out.latents',
];

/**
 * Append the gradients called `names` ('sample', 'w.conv_in.weight', 'token_embedding', …) to the built graph.
 * The loss is `out.loss`, else the mean square of the main output. A name that nothing answers to is left out.
 */
export function buildGradients(
  { g, outputs }: Built,
  names: readonly string[],
  inputs: ReadonlyMap<string, NdArray>,
  shapes: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, GradientOf> {
  const loss =
    outputs.get('out.loss') ?? meanSquare(g, MAIN_OUTPUTS.map((name) => outputs.get(name)).find(Boolean));
  const known = names.flatMap((name) => {
    const v = variable(g, name);
    return v ? [{ name, v }] : [];
  });
  if (!loss) return new Map();
  const values = grad(
    g,
    loss,
    known.map(({ v }) => v),
  );
  return new Map(
    known.map(({ name }, i) => {
      const finish = (data: Float32Array): Float32Array =>
        name === 'token_embedding' ? scatterRows(data, inputs.get('ids')!.data, shapes.get(name)!) : data;
      return [name, { value: values[i]!, finish }];
    }),
  );
}

function meanSquare(g: Graph, y: Value | undefined): Value | undefined {
  return y && op.reduceMean(g, op.mul(g, y, y), [...y.shape.keys()], false);
}

/** The feed or weight that a gradient's name speaks of. */
function variable(g: Graph, name: string): Value | undefined {
  const feed = { token_embedding: 'embeddings', latent: 'z' }[name] ?? name;
  if (!name.startsWith('w.')) return g.feeds.find((v) => v.name === feed);
  const key = name.slice(2);
  const canonical = Object.values(COMPONENTS).map((row) => row.canonical(key));
  return [key, ...canonical].map((k) => g.weights.get(k ?? '')).find(Boolean);
}

/** The token table lives on the host: the gradient of its rows is the sum over the places they were gathered to. */
function scatterRows(
  rows: Float32Array,
  ids: Float32Array,
  [vocabulary, width]: readonly number[],
): Float32Array {
  const table = new Float32Array(vocabulary! * width!);
  ids.forEach((id, i) => {
    for (let j = 0; j < width!; j++) table[id * width! + j]! += rows[i * width! + j]!;
  });
  return table;
}

/** How well a gradient agrees, given the largest entry of all reference gradients of the file. */
export function compareGradient(
  ours: Float32Array,
  reference: Float32Array,
  largest: number,
): { readonly relErr: number; readonly cosine: number; readonly ok: boolean } {
  let [error, size, aa, bb, ab] = [0, 0, 0, 0, 0];
  reference.forEach((b, i) => {
    const a = ours[i] ?? Number.NaN;
    error = Math.max(error, Number.isNaN(a) ? Number.POSITIVE_INFINITY : Math.abs(a - b));
    size = Math.max(size, Math.abs(b));
    aa += a * a;
    bb += b * b;
    ab += a * b;
  });
  if (ours.length !== reference.length) error = Number.POSITIVE_INFINITY;
  // rounding noise has no direction: both must be zero, measured against the file's gradients as a whole
  if (size <= NOISE * largest) {
    const relErr = error / Math.max(largest, Number.MIN_VALUE);
    return { relErr, cosine: 1, ok: relErr <= NOISE };
  }
  const relErr = error / size;
  const cosine = ab / Math.sqrt(aa * bb);
  return { relErr, cosine, ok: relErr <= GRADIENT_TOLERANCE && cosine >= COSINE_TOLERANCE };
}
