/** Rules of ops that move data: each is undone by another such op, and what was read several times is summed. */
import type { Graph, Shape, Value } from '../onnx/graph';
import {
  concat,
  expand,
  gather,
  gatherElements,
  pad,
  reshape,
  resize,
  scatterElements,
  scatterND,
  slice,
  split,
  transpose,
} from '../onnx/movement';
import * as op from '../onnx/ops';
import { sameShape } from '../onnx/shape';
import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';
import { int, ints, type Vjp } from './vjp';

/** Zeros of a shape, made on the device. */
export const zeros = (g: Graph, { shape, dtype }: Pick<Value, 'shape' | 'dtype'>): Value =>
  expand(g, op.scalar(g, 0, dtype), shape);

const constantInts = (g: Graph, v: Value): number[] =>
  [...(g.constants.get(v.name)!.data as BigInt64Array)].map(Number);

const unsupported = (what: string): never => {
  throw new AppError('GRAPH', `no gradient rule for ${what}`);
};

export const movement = {
  Reshape: ({ g, x: [x], dy }) => [reshape(g, dy, x!.shape), null],
  Transpose: ({ g, dy, attrs }) => {
    const perm = ints(attrs, 'perm');
    return [
      transpose(
        g,
        dy,
        perm.map((_, i) => perm.indexOf(i)),
      ),
    ];
  },
  // the engine sums over the repeated axes
  Expand: ({ dy }) => [dy, null],
  // [r₀·d₀, …] → [r₀, d₀, …], summed over every r
  Tile: ({ g, x: [x, repeats], dy }) => {
    const r = constantInts(g, repeats!);
    const blocks = reshape(
      g,
      dy,
      x!.shape.flatMap((d, i) => [r[i]!, d]),
    );
    return [
      op.reduceSum(
        g,
        blocks,
        r.map((_, i) => 2 * i),
        false,
      ),
      null,
    ];
  },
  // back to where they were taken from, zeros elsewhere
  Slice: ({ g, x: [x, ...parts], dy }) => {
    const [starts, , axes, steps] = parts.map((v) => constantInts(g, v)) as [
      number[],
      number[],
      number[],
      number[],
    ];
    const dx = axes.reduce((d, axis, k) => unslice(g, d, axis, starts[k]!, steps[k]!, x!.shape[axis]!), dy);
    return [dx, ...parts.map(() => null)];
  },
  Concat: ({ g, x, dy, attrs }) => {
    const axis = int(attrs, 'axis');
    return split(
      g,
      dy,
      x.map((v) => v.shape[axis]!),
      axis,
    );
  },
  Split: ({ g, ys, dys, attrs }) => [
    concat(
      g,
      ys.map((y, i) => dys[i] ?? zeros(g, y)),
      int(attrs, 'axis'),
    ),
    null,
  ],
  // Σ of the cotangents of every place that an entry was read to
  Gather: ({ g, x: [x, indices], dy, attrs }) => {
    const axis = int(attrs, 'axis');
    const rank = x!.shape.length;
    const toFront = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
    const rows = axis === 0 ? dy : moveAxes(g, dy, axis, indices!.shape.length);
    const base = zeros(g, { shape: toFront.map((a) => x!.shape[a]!), dtype: x!.dtype });
    const at = reshape(g, indices!, [sizeOf(indices!.shape), 1]);
    const updates = reshape(g, rows, [sizeOf(indices!.shape), ...base.shape.slice(1)]);
    const summed = scatterND(g, base, at, updates, 'add');
    return [
      transpose(
        g,
        summed,
        toFront.map((_, i) => toFront.indexOf(i)),
      ),
      null,
    ];
  },
  GatherElements: ({ g, x: [x, indices], dy, attrs }) => [
    scatterElements(g, zeros(g, x!), indices!, dy, int(attrs, 'axis'), 'add'),
    null,
  ],
  // written entries hide x ('none') or add to it
  ScatterElements: ({ g, x: [, indices, updates], dy, attrs }) => {
    const axis = int(attrs, 'axis');
    const hidden = attrs.reduction === 'none';
    return [
      hidden ? scatterElements(g, dy, indices!, zeros(g, updates!), axis) : dy,
      null,
      gatherElements(g, dy, indices!, axis),
    ];
  },
  ScatterND: ({ g, x: [, indices, updates], dy, attrs }) => {
    if (indices!.shape.at(-1) !== 1) unsupported('ScatterND over several axes');
    const hidden = attrs.reduction === 'none';
    return [
      hidden ? scatterND(g, dy, indices!, zeros(g, updates!)) : dy,
      null,
      gather(g, dy, reshape(g, indices!, indices!.shape.slice(0, -1)), 0),
    ];
  },
  Pad: ({ g, x: [, pads], dy, attrs }) => {
    if (attrs.mode !== 'constant') unsupported(`Pad in mode ${attrs.mode}`);
    return [
      pad(
        g,
        dy,
        constantInts(g, pads!).map((p) => -p),
      ),
      null,
    ];
  },
  // whole factors: Σ over each block. Otherwise y = R·x·Rᵀ along each axis, so dx = Rᵀ·dy·R
  Resize: ({ g, x: [x, ...parts], dy, attrs }) => {
    const [size, target] = [x!.shape.slice(2), dy.shape.slice(2)];
    const nearest = attrs.mode === 'nearest';
    const none = parts.map(() => null);
    const factors = target.map((d, i) => d / size[i]!);
    if (nearest && factors.every(Number.isInteger)) {
      const mean = op.averagePool(g, dy, factors, { strides: factors });
      return [op.mul(g, mean, op.scalar(g, sizeOf(factors), dy.dtype)), ...none];
    }
    if (size.length !== 2) unsupported(`Resize over ${size.length} axes`);
    const [rows, columns] = size.map((d, i) =>
      op.cast(g, interpolation(g, d, target[i]!, nearest), dy.dtype),
    );
    return [op.matMul(g, transpose(g, rows!, [1, 0]), op.matMul(g, dy, columns!)), ...none];
  },
  DepthToSpace: ({ g, x: [x], dy, attrs }) => {
    const [b, c, h, w] = x!.shape as readonly [number, number, number, number];
    const n = int(attrs, 'blocksize');
    const blocks = reshape(g, dy, [b, c / n ** 2, h, n, w, n]);
    return [reshape(g, transpose(g, blocks, [0, 3, 5, 1, 2, 4]), x!.shape)];
  },
  // windows that tile the image: every pixel of a window gets an equal share
  AveragePool: ({ g, x: [x], y, dy, attrs }) => {
    const kernel = tiling('AveragePool', x!.shape, y.shape, attrs);
    return [resize(g, op.mul(g, dy, op.scalar(g, 1 / sizeOf(kernel), dy.dtype)), x!.shape.slice(2))];
  },
  // windows that tile the image: to the pixel that is the maximum (to each, should several be)
  MaxPool: ({ g, x: [x], y, dy, attrs }) => {
    tiling('MaxPool', x!.shape, y.shape, attrs);
    const spatial = x!.shape.slice(2);
    const chosen = op.equal(g, x!, resize(g, y, spatial));
    return [op.where(g, chosen, resize(g, dy, spatial), op.scalar(g, 0, dy.dtype))];
  },
  GlobalAveragePool: ({ g, x: [x], dy }) => {
    const share = op.scalar(g, 1 / sizeOf(x!.shape.slice(2)), dy.dtype);
    return [expand(g, op.mul(g, dy, share), x!.shape)];
  },
} as const satisfies Record<string, Vjp>;

/** Undo x[start::step] along an axis of the given size. */
function unslice(g: Graph, dy: Value, axis: number, start: number, step: number, size: number): Value {
  const n = dy.shape[axis]!;
  const first = start < 0 ? start + size : Math.min(start, size - 1);
  if (step < 0) {
    const forward = slice(g, dy, [-1], [-1 - n], [axis], [-1]);
    return unslice(g, forward, axis, first + step * (n - 1), -step, size);
  }
  const around = (d: Value, after: number, at: number, before = 0): Value => {
    const pads = Array<number>(2 * d.shape.length).fill(0);
    pads[at] = before;
    pads[d.shape.length + at] = after;
    return pad(g, d, pads);
  };
  // n entries → n·step, each followed by step−1 zeros; the last of them may reach past the end
  const column = [...dy.shape.slice(0, axis + 1), 1, ...dy.shape.slice(axis + 1)];
  const spread =
    step === 1
      ? dy
      : reshape(g, around(reshape(g, dy, column), step - 1, axis + 1), stretch(dy.shape, axis, step));
  return around(spread, size - first - n * step, axis, first);
}

const stretch = (shape: Shape, axis: number, factor: number): Shape =>
  shape.map((d, i) => (i === axis ? d * factor : d));

/** Bring `count` axes that start at `axis` to the front. */
function moveAxes(g: Graph, v: Value, axis: number, count: number): Value {
  const all = v.shape.map((_, i) => i);
  const moved = all.slice(axis, axis + count);
  return transpose(g, v, [...moved, ...all.filter((i) => !moved.includes(i))]);
}

function tiling(name: string, x: Shape, y: Shape, attrs: Parameters<Vjp>[0]['attrs']): Shape {
  const kernel = ints(attrs, 'kernel_shape');
  const tiles = sameShape(kernel, ints(attrs, 'strides')) && ints(attrs, 'pads').every((p) => p === 0);
  const exact = kernel.every((k, i) => k * y[2 + i]! === x[2 + i]!);
  return tiles && exact ? kernel : unsupported(`${name} with windows that overlap or leave a rest`);
}

/** The matrix [out,in] that Resize applies along an axis. */
function interpolation(g: Graph, from: number, to: number, nearest: boolean): Value {
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    if (nearest) {
      matrix[i * from + Math.floor((i * from) / to)] = 1;
      continue;
    }
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.floor(at);
    matrix[i * from + low]! += 1 - (at - low);
    if (low + 1 < from) matrix[i * from + low + 1]! += at - low;
  }
  return g.constant(matrix, [to, from]);
}
