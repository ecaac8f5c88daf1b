/** Gradients of 3×3 convolutions by Winograd's transforms. */
import type { Graph, Shape, Value } from '../onnx/graph';
import { reshape, transpose } from '../onnx/movement';
import * as op from '../onnx/ops';
import { GATHER, KERNEL, SPREAD, transposed } from '../onnx/winograd';
import { sizeOf } from '../util/nd-array';

/** Stride 1, the size kept, and sides that are even. `x`: input or output. */
export const winogradFits = (
  x: Value,
  kernel: Shape,
  strides: readonly number[],
  pads: readonly number[],
  dilations: readonly number[],
): boolean =>
  x.dtype === 'float32' &&
  kernel.length === 4 &&
  kernel.slice(2).every((side) => side === 3) &&
  x.shape.slice(2).every((side) => side % 2 === 0) &&
  [...strides, ...pads, ...dilations].every((n) => n === 1);

/**
 * dw = Gᵀ[Σ (A dy Aᵀ) ⊙ (Bᵀ x B)]G over all blocks of all images: the transpose of F(2×2, 3×3) with respect to its kernel.
 * 2.25 times fewer multiplications than the products of all taps, from 4 times x instead of 9 times.
 */
export function winogradWeight(g: Graph, x: Value, dy: Value): Value {
  const [out, channels] = [dy.shape[1]!, x.shape[1]!];
  const patches = places(g, x, SPREAD, 4, 1);
  const blocks = places(g, dy, transposed(GATHER), 2, 0);
  const products = op.matMul(g, blocks, transpose(g, patches, [0, 2, 1]));
  const kernel = g.constant(Float32Array.from(KERNEL.flat()), [16, 9]);
  const rows = reshape(g, products, [16, out * channels]);
  return reshape(g, op.gemm(g, rows, kernel, undefined, { transA: true }), [out, channels, 3, 3]);
}

/** dx: dy convolved with the flipped kernel, channels in and out exchanged. [B,O,H,W], [O,C,3,3] → [B,C,H,W] */
export function winogradInput(g: Graph, dy: Value, w: Value): Value {
  const [out, channels] = w.shape as readonly [number, number];
  const [batch, , height, width] = dy.shape as readonly [number, number, number, number];
  const flipped = KERNEL.map((row) => [...row].reverse());
  const transform = g.constant(Float32Array.from(flipped.flat()), [16, 9]);
  const kernels = op.gemm(g, transform, reshape(g, w, [out * channels, 9]), undefined, { transB: true });
  const perPlace = transpose(g, reshape(g, kernels, [16, out, channels]), [0, 2, 1]);
  const products = op.matMul(g, perPlace, places(g, dy, SPREAD, 4, 1));
  const gather = g.constant(Float32Array.from(GATHER.flat()), [4, 16]);
  const blocks = op.matMul(g, gather, reshape(g, products, [16, -1]));
  const grid = reshape(g, blocks, [2, 2, channels, batch, height / 2, width / 2]);
  return reshape(g, transpose(g, grid, [3, 2, 4, 0, 5, 1]), [batch, channels, height, width]);
}

/** Squares of stride 2, each transformed to 16 places: [B,C,H,W] → [16,C,B·H/2·W/2]. One convolution of single channels. */
function places(
  g: Graph,
  x: Value,
  transform: readonly (readonly number[])[],
  side: number,
  pad: number,
): Value {
  const [batch, channels, height, width] = x.shape as readonly [number, number, number, number];
  const kernels = g.constant(Float32Array.from(transform.flat()), [16, 1, side, side]);
  const squares = op.conv(g, reshape(g, x, [batch * channels, 1, height, width]), kernels, undefined, {
    strides: [2, 2],
    pads: [pad, pad, pad, pad],
  });
  const count = sizeOf(squares.shape.slice(2));
  const perPlace = transpose(g, reshape(g, squares, [batch, channels, 16, count]), [2, 1, 0, 3]);
  return reshape(g, perPlace, [16, channels, batch * count]);
}
