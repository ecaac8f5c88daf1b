/** Ops that move data without arithmetic: one function per ONNX op, named as the op. An op that would change nothing returns its input. */
import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';
import { absent, type Graph, type Shape, type Value } from './graph';
import { axisOf, broadcastShapes, expectShape, sameShape } from './shape';

const ints = (g: Graph, values: readonly number[]): Value => g.constant(values, [values.length], 'int64');

/** Same elements in another shape; one entry may be -1 and is worked out. */
export function reshape(g: Graph, x: Value, target: Shape): Value {
  const known = sizeOf(target.filter((d) => d !== -1));
  const shape = target.map((d) => (d === -1 ? sizeOf(x.shape) / known : d));
  expectShape(
    sizeOf(shape) === sizeOf(x.shape) && shape.every(Number.isInteger),
    'Reshape',
    `cannot become [${target}]`,
    x,
  );
  return sameShape(shape, x.shape) ? x : g.append('Reshape', [x, ints(g, shape)], [{ shape }])[0]!;
}

/** Axis i of the result is axis perm[i] of x. */
export function transpose(g: Graph, x: Value, perm: readonly number[]): Value {
  const complete =
    perm.length === x.shape.length && perm.every((p, i) => perm.indexOf(p) === i && p in x.shape);
  expectShape(complete, 'Transpose', `[${perm}] is no permutation of the axes`, x);
  if (perm.every((p, i) => p === i)) return x;
  return g.append('Transpose', [x], [{ shape: perm.map((p) => x.shape[p]!) }], { perm })[0]!;
}

/** Swap the last two axes: the matrix transpose of a batch. */
export function swapLast(g: Graph, x: Value): Value {
  const rank = x.shape.length;
  return transpose(g, x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** Repeat axes of size 1 so that x gets the given shape. */
export function expand(g: Graph, x: Value, shape: Shape): Value {
  expectShape(sameShape(broadcastShapes(x.shape, shape), shape), 'Expand', `cannot become [${shape}]`, x);
  return sameShape(shape, x.shape) ? x : g.append('Expand', [x, ints(g, shape)], [{ shape }])[0]!;
}

/** Repeat x `repeats[i]` times along axis i. */
export function tile(g: Graph, x: Value, repeats: readonly number[]): Value {
  expectShape(repeats.length === x.shape.length, 'Tile', 'one repeat per axis', x);
  const shape = x.shape.map((d, i) => d * repeats[i]!);
  return g.append('Tile', [x, ints(g, repeats)], [{ shape }])[0]!;
}

/** x[start:end:step] along the given axes; starts and ends lie inside the axis, with `end` exclusive. For step < 0, end may be -1-size (all the way). */
export function slice(
  g: Graph,
  x: Value,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[],
  steps: readonly number[] = axes.map(() => 1),
): Value {
  const at = axes.map((a) => axisOf(a, x.shape.length));
  const shape = x.shape.map((d, i) => {
    const k = at.indexOf(i);
    if (k < 0) return d;
    const [start, end, step] = [starts[k]!, ends[k]!, steps[k]!];
    const fromFront = (v: number): number => (v < 0 ? v + d : v);
    return Math.max(0, Math.ceil((fromFront(end) - fromFront(start)) / step));
  });
  expectShape(
    shape.every((d, i) => d > 0 && d <= x.shape[i]!),
    'Slice',
    `[${starts}]..[${ends}] is empty`,
    x,
  );
  if (sameShape(shape, x.shape) && steps.every((s) => s > 0)) return x;
  const parts = [starts, ends, at, steps].map((v) => ints(g, v));
  return g.append('Slice', [x, ...parts], [{ shape }])[0]!;
}

/** Join along an axis. */
export function concat(g: Graph, xs: readonly Value[], axis: number): Value {
  const [first] = xs as readonly [Value];
  const at = axisOf(axis, first.shape.length);
  const fits = xs.every(
    (x) => x.dtype === first.dtype && x.shape.every((d, i) => i === at || d === first.shape[i]),
  );
  expectShape(fits, 'Concat', `sizes or dtypes differ outside axis ${at}`, ...xs);
  if (xs.length === 1) return first;
  const total = xs.reduce((sum, x) => sum + x.shape[at]!, 0);
  return g.append('Concat', xs, [{ shape: first.shape.map((d, i) => (i === at ? total : d)) }], {
    axis: at,
  })[0]!;
}

/** Cut along an axis into pieces of the given sizes. */
export function split(g: Graph, x: Value, sizes: readonly number[], axis: number): readonly Value[] {
  const at = axisOf(axis, x.shape.length);
  const total = sizes.reduce((a, b) => a + b, 0);
  expectShape(total === x.shape[at], 'Split', `[${sizes}] does not add up to axis ${at}`, x);
  if (sizes.length === 1) return [x];
  const outputs = sizes.map((size) => ({ shape: x.shape.map((d, i) => (i === at ? size : d)) }));
  return g.append('Split', [x, ints(g, sizes)], outputs, { axis: at });
}

/** Entries of x at int64 `indices` along an axis; that axis is replaced by the axes of `indices`. */
export function gather(g: Graph, x: Value, indices: Value, axis = 0): Value {
  const at = axisOf(axis, x.shape.length);
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  return g.append('Gather', [x, indices], [{ shape }], { axis: at })[0]!;
}

/** out[.., i, ..] = x[.., indices[.., i, ..], ..] along an axis; out has the shape of `indices`. */
export function gatherElements(g: Graph, x: Value, indices: Value, axis: number): Value {
  const at = axisOf(axis, x.shape.length);
  return g.append('GatherElements', [x, indices], [{ shape: indices.shape }], { axis: at })[0]!;
}

/** A copy of x with updates written (or added) at int64 `indices` along an axis. */
export function scatterElements(
  g: Graph,
  x: Value,
  indices: Value,
  updates: Value,
  axis: number,
  reduction: 'none' | 'add' = 'none',
): Value {
  expectShape(sameShape(indices.shape, updates.shape), 'ScatterElements', 'shapes differ', indices, updates);
  const at = axisOf(axis, x.shape.length);
  return g.append('ScatterElements', [x, indices, updates], [x], { axis: at, reduction })[0]!;
}

/** A copy of x with slices `updates` written (or added) at int64 index tuples `indices` [...,k]. */
export function scatterND(
  g: Graph,
  x: Value,
  indices: Value,
  updates: Value,
  reduction: 'none' | 'add' = 'none',
): Value {
  const shape = [...indices.shape.slice(0, -1), ...x.shape.slice(indices.shape.at(-1)!)];
  expectShape(
    sameShape(shape, updates.shape),
    'ScatterND',
    `updates must be [${shape}]`,
    x,
    indices,
    updates,
  );
  return g.append('ScatterND', [x, indices, updates], [x], { reduction })[0]!;
}

/** Grow the axes; `pads` lists all begins, then all ends. Negative pads crop. */
export function pad(
  g: Graph,
  x: Value,
  pads: readonly number[],
  mode: 'constant' | 'reflect' | 'edge' = 'constant',
): Value {
  const rank = x.shape.length;
  expectShape(pads.length === 2 * rank, 'Pad', 'two pads per axis', x);
  if (pads.every((p) => p === 0)) return x;
  const shape = x.shape.map((d, i) => d + pads[i]! + pads[rank + i]!);
  return g.append('Pad', [x, ints(g, pads)], [{ shape }], { mode })[0]!;
}

/**
 * Interpolate x [B,C,...] to new spatial sizes.
 * 'nearest' takes source ⌊i·in/out⌋ (PyTorch's `nearest`); 'linear' aligns pixel centres (`align_corners=False`, no antialiasing).
 */
export function resize(g: Graph, x: Value, spatial: Shape, mode: 'nearest' | 'linear' = 'nearest'): Value {
  if (spatial.length !== x.shape.length - 2)
    throw new AppError('SHAPE', `Resize to [${spatial}] of [${x.shape}]`);
  const shape = [...x.shape.slice(0, 2), ...spatial];
  if (sameShape(shape, x.shape)) return x;
  return g.append('Resize', [x, absent, absent, ints(g, shape)], [{ shape }], {
    mode,
    ...(mode === 'nearest'
      ? { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }
      : { coordinate_transformation_mode: 'half_pixel' }),
  })[0]!;
}

/** Blocks of channels become space: [B, C·b², h, w] → [B, C, h·b, w·b], depth-column-row order. */
export function depthToSpace(g: Graph, x: Value, blocksize: number): Value {
  const [b, c, h, w] = x.shape as readonly [number, number, number, number];
  const shape = [b, c / blocksize ** 2, h * blocksize, w * blocksize];
  return g.append('DepthToSpace', [x], [{ shape }], { blocksize, mode: 'DCR' })[0]!;
}
