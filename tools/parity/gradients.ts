/** Reference gradients (`grad.*`) against ours: reverse mode over the graph that the forward was compared with. */
import { grad } from '../../src/autodiff/grad';
import { TOKEN_TABLE } from '../../src/models/clip-text';
import { COMPONENTS } from '../../src/models/components';
import type { Value } from '../../src/onnx/graph';
import type { NdArray } from '../../src/util/nd-array';
import { type Built, inputName } from './components';

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

/**
 * Append the gradients of `out.loss` called `names` ('sample', 'w.conv_in.weight', 'token_embedding', …) to the built
 * graph. A name that nothing answers to is left out.
 */
export function buildGradients(
  built: Built,
  names: readonly string[],
  inputs: ReadonlyMap<string, NdArray>,
  shapes: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, GradientOf> {
  const { g, outputs, variables } = built;
  const loss = outputs.get('out.loss');
  const known = names.flatMap((name) => {
    const v = variable(built, name);
    return v ? [{ name, v }] : [];
  });
  if (!loss) return new Map();
  const values = grad(
    g,
    loss,
    known.map(({ v }) => v),
  );
  const table = variables.get('token_embedding');
  return new Map(
    known.map(({ name, v }, i) => {
      const finish = (data: Float32Array): Float32Array =>
        v === table ? scatterRows(data, inputs.get('ids')!.data, shapes.get(name)!) : data;
      return [name, { value: values[i]!, finish }];
    }),
  );
}

/** The feed, weight or value on the way that a gradient's name speaks of. */
function variable({ g, variables }: Built, name: string): Value | undefined {
  if (!name.startsWith('w.')) {
    const input = inputName(name);
    return variables.get(input) ?? g.feeds.find((v) => v.name === input);
  }
  const key = name.slice(2);
  const names = [key, ...Object.values(COMPONENTS).map((row) => row.canonical(key))];
  if (names.includes(TOKEN_TABLE)) return variables.get('token_embedding');
  return names.map((k) => g.weights.get(k ?? '')).find(Boolean);
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
