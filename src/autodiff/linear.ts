/** Rules of matrix products and convolutions. */
import type { Attrs, Graph, Shape, Value } from '../onnx/graph';
import { concat, pad, reshape, slice, swapLast, transpose } from '../onnx/movement';
import * as op from '../onnx/ops';
import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';
import { float, int, ints, type Vjp } from './vjp';

/** Which of several equal formulas a convolution's gradients use; the fastest depends on the backend (see README). */
export interface ConvGradients {
  /** dx at stride 1: as a transposed convolution, or as a convolution with the flipped kernel (foldable when it is frozen) */
  readonly input: 'transposed' | 'flipped' | ((kernel: Value) => 'transposed' | 'flipped');
  /** dw: one matrix product per kernel tap; one product with all taps side by side; or a convolution with batch and channels swapped */
  readonly weight: 'taps' | 'columns' | 'swapped';
}

/** da = dy·bᵀ, db = aᵀ·dy */
export const matMul: Vjp = ({ g, x: [a, b], dy }) => {
  if (b!.shape.length > 2) return [op.matMul(g, dy, swapLast(g, b!)), transposedProduct(g, a!, dy)];
  // one matrix for the whole batch: flat products need no transposed copies and no sum over the batch
  const rows = reshape(g, dy, [-1, dy.shape.at(-1)!]);
  const da = op.gemm(g, rows, b!, undefined, { transB: true });
  const db = op.gemm(g, reshape(g, a!, [-1, a!.shape.at(-1)!]), rows, undefined, { transA: true });
  return [reshape(g, da, a!.shape), db];
};

/** aᵀ·dy. Attention's [L,L] probabilities are read as they lie: transposing them costs more than transposing dy and the result. */
function transposedProduct(g: Graph, a: Value, dy: Value): Value {
  const [rows, inner] = a.shape.slice(-2) as [number, number];
  const columns = dy.shape.at(-1)!;
  return rows * inner > (rows + inner) * columns
    ? swapLast(g, op.matMul(g, swapLast(g, dy), a))
    : op.matMul(g, swapLast(g, a), dy);
}

/** y = α·A′B′ + β·C with A′ = Aᵀ when transA:  dA′ = α·dy·B′ᵀ,  dB′ = α·A′ᵀ·dy,  dC = β·dy */
export const gemm: Vjp = ({ g, x: [a, b, c], dy, attrs }) => {
  const [transA, transB, alpha] = [int(attrs, 'transA') > 0, int(attrs, 'transB') > 0, float(attrs, 'alpha')];
  const product = (left: Value, right: Value, tl: boolean, tr: boolean): Value =>
    op.gemm(g, left, right, undefined, { transA: tl, transB: tr, alpha });
  const da = transA ? product(b!, dy, transB, true) : product(dy, b!, false, !transB);
  const db = transB ? product(dy, a!, true, transA) : product(a!, dy, !transA, false);
  if (!c) return [da, db];
  const beta = float(attrs, 'beta');
  return [da, db, beta === 1 ? dy : op.mul(g, dy, op.scalar(g, beta, dy.dtype))];
};

export const conv =
  (how: ConvGradients): Vjp =>
  ({ g, x: [x, w, bias], dy, attrs }) => {
    const dx = convInput(g, how, dy, w!, x!.shape, attrs);
    const dw = convWeight(g, how, x!, dy, w!.shape, attrs);
    return bias ? [dx, dw, op.reduceSum(g, dy, spatialSum(dy), false)] : [dx, dw];
  };

/** The transposed convolution is conv's input gradient, so its own gradients are a convolution and conv's weight gradient with x and dy swapped. */
export const convTranspose =
  (how: ConvGradients): Vjp =>
  ({ g, x: [x, w, bias], dy, attrs }) => {
    const window = {
      strides: ints(attrs, 'strides'),
      pads: ints(attrs, 'pads'),
      dilations: ints(attrs, 'dilations'),
      group: int(attrs, 'group'),
    };
    const dx = op.conv(g, dy, w!, undefined, window);
    const dw = convWeight(g, how, dy, x!, w!.shape, attrs);
    return bias ? [dx, dw, op.reduceSum(g, dy, spatialSum(dy), false)] : [dx, dw];
  };

/** All axes but the channels. */
const spatialSum = (v: Value): number[] => v.shape.flatMap((_, i) => (i === 1 ? [] : [i]));

/** dx of y = conv(x, w): every input pixel collects the outputs whose window covered it. */
function convInput(g: Graph, how: ConvGradients, dy: Value, w: Value, shape: Shape, attrs: Attrs): Value {
  const [strides, pads, dilations] = [ints(attrs, 'strides'), ints(attrs, 'pads'), ints(attrs, 'dilations')];
  const group = int(attrs, 'group');
  const rank = strides.length;
  const reach = dilations.map((d, i) => d * (w.shape[2 + i]! - 1));
  const form = typeof how.input === 'function' ? how.input(w) : how.input;
  if (form === 'flipped' && group === 1 && strides.every((s) => s === 1)) {
    const axes = strides.map((_, i) => 2 + i);
    const ends = axes.map((a) => -1 - w.shape[a]!);
    const flipped =
      sizeOf(w.shape.slice(2)) === 1
        ? w
        : slice(g, w, Array(rank).fill(-1), ends, axes, Array(rank).fill(-1));
    return op.conv(g, dy, transpose(g, flipped, [1, 0, ...axes]), undefined, {
      pads: pads.map((p, i) => reach[i % rank]! - p),
      dilations,
    });
  }
  const outputPadding = strides.map(
    (s, i) => shape[2 + i]! - ((dy.shape[2 + i]! - 1) * s - pads[i]! - pads[rank + i]! + reach[i]! + 1),
  );
  return op.convTranspose(g, dy, w, undefined, { strides, pads, dilations, group, outputPadding });
}

/** dw[o,c,tap] = Σ over images and output pixels of dy[o]·x[c, pixel·stride + tap·dilation] */
function convWeight(g: Graph, how: ConvGradients, x: Value, dy: Value, shape: Shape, attrs: Attrs): Value {
  const [strides, pads, dilations] = [ints(attrs, 'strides'), ints(attrs, 'pads'), ints(attrs, 'dilations')];
  if (int(attrs, 'group') > 1) return groupedWeight(g, x, dy, shape, attrs);
  const rank = strides.length;
  if (how.weight === 'swapped') {
    const full = op.conv(g, channelsFirst(g, x), channelsFirst(g, dy), undefined, {
      strides: dilations,
      pads,
      dilations: strides,
    });
    const axes = strides.map((_, i) => 2 + i);
    const kernel = slice(g, full, Array(rank).fill(0), shape.slice(2), axes);
    return transpose(g, kernel, [1, 0, ...axes]);
  }
  const rows = reshape(g, channelsFirst(g, dy), [dy.shape[1]!, -1]);
  const channels = x.shape[1]!;
  if (how.weight === 'columns') {
    const columns = patches(g, x, shape.slice(2), { strides, pads, dilations });
    return reshape(g, op.gemm(g, rows, columns, undefined, { transB: true }), shape);
  }
  const taps = windows(
    g,
    channelsFirst(g, padded(g, x, pads)),
    dy.shape.slice(2),
    shape.slice(2),
    strides,
    dilations,
  );
  const products = taps.map((t) =>
    op.gemm(g, rows, reshape(g, t, [channels, -1]), undefined, { transB: true }),
  );
  if (products.length === 1) return reshape(g, products[0]!, shape);
  const stacked = concat(
    g,
    products.map((p) => reshape(g, p, [1, ...p.shape])),
    0,
  );
  return reshape(g, transpose(g, stacked, [1, 2, 0]), shape);
}

/** For each channel and kernel tap the input pixels that it meets, [C·taps, B·…out]: a convolution whose kernels pick one pixel each. */
function patches(g: Graph, x: Value, kernel: Shape, window: op.ConvOptions): Value {
  const [batch, channels, ...size] = x.shape as readonly [number, number, ...number[]];
  const taps = sizeOf(kernel);
  if (taps === 1 && (window.strides ?? []).every((s) => s === 1) && (window.pads ?? []).every((p) => p === 0))
    return reshape(g, channelsFirst(g, x), [channels, -1]);
  const identity = Float32Array.from({ length: taps * taps }, (_, i) => (i % (taps + 1) === 0 ? 1 : 0));
  const picks = op.cast(g, g.constant(identity, [taps, 1, ...kernel]), x.dtype);
  const picked = op.conv(g, reshape(g, x, [batch * channels, 1, ...size]), picks, undefined, window);
  const places = picked.shape.slice(2);
  const perImage = reshape(g, picked, [batch, channels * taps, sizeOf(places)]);
  return reshape(g, channelsFirst(g, perImage), [channels * taps, -1]);
}

/** Depthwise and grouped kernels: elementwise products per tap (few channels meet, so a matrix product has no use). */
function groupedWeight(g: Graph, x: Value, dy: Value, shape: Shape, attrs: Attrs): Value {
  if (int(attrs, 'group') !== x.shape[1] || shape[1] !== 1 || shape[0] !== x.shape[1]) {
    throw new AppError(
      'GRAPH',
      `no weight gradient for a convolution of [${x.shape}] in ${int(attrs, 'group')} groups`,
    );
  }
  const input = padded(g, x, ints(attrs, 'pads'));
  const taps = windows(
    g,
    input,
    dy.shape.slice(2),
    shape.slice(2),
    ints(attrs, 'strides'),
    ints(attrs, 'dilations'),
  );
  const sums = taps.map((t) => op.reduceSum(g, op.mul(g, t, dy), spatialSum(dy), false));
  return reshape(
    g,
    concat(
      g,
      sums.map((s) => reshape(g, s, [shape[0]!, 1])),
      1,
    ),
    shape,
  );
}

/** [B,C,...] → [C,B,...] */
const channelsFirst = (g: Graph, v: Value): Value => {
  const [b, c, ...rest] = v.shape;
  return b === 1 || c === 1
    ? reshape(g, v, [c!, b!, ...rest])
    : transpose(g, v, [1, 0, ...rest.map((_, i) => 2 + i)]);
};

const padded = (g: Graph, x: Value, pads: readonly number[]): Value => {
  const rank = pads.length / 2;
  return pad(g, x, [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)]);
};

/** For each kernel tap, the input pixels that it meets: [.., .., ...out]. */
function windows(
  g: Graph,
  x: Value,
  out: Shape,
  kernel: Shape,
  strides: readonly number[],
  dilations: readonly number[],
): Value[] {
  const axes = kernel.map((_, i) => 2 + i);
  return Array.from({ length: sizeOf(kernel) }, (_, index) => {
    const tap = kernel.map((size, i) => Math.floor(index / sizeOf(kernel.slice(i + 1))) % size);
    const starts = tap.map((t, i) => t * dilations[i]!);
    const ends = starts.map((s, i) => s + (out[i]! - 1) * strides[i]! + 1);
    return slice(g, x, starts, ends, axes, strides);
  });
}
