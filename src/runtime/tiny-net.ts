import { Graph, type Shape, type Value } from '../onnx/graph';
import { reshape } from '../onnx/movement';
import { add, conv, matMul, sigmoid } from '../onnx/ops';
import { type NdArray, sizeOf } from '../util/nd-array';
import type { WeightSource } from './weights';

// For tests: a network small enough for the software adapter that still has what runtime code must get right.

/** Smooth numbers in [-scale, scale] that depend on the phase. */
export function wave(shape: Shape, phase = 0, scale = 1): NdArray {
  return {
    data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => scale * Math.sin(1.3 * i + phase)),
    shape,
  };
}

/** Weights of `tinyNet`; the 3-element bias is the one that takes padding to 16 bytes. */
export const TINY_SHAPES: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ['conv.weight', [3, 2, 3, 3]],
  ['conv.bias', [3]],
  ['proj.weight', [12, 4]],
]);

export const tinySource = (phase = 0): WeightSource => ({
  shapes: TINY_SHAPES,
  load: async (name) => wave(TINY_SHAPES.get(name)!, phase + name.length, 0.4),
});

export const tinyFeeds = (phase = 0): Record<string, NdArray> => ({
  x: wave([1, 2, 4, 4], phase),
  shift: wave([3], phase + 1),
});

/** sigmoid(conv(x)) + shift → [1,3,4,4], and its projection [4,4]. */
export function tinyNet(): { graph: Graph; outputs: Record<'image' | 'projected', Value> } {
  const g = new Graph();
  const weight = (name: string): Value => g.weight(name, TINY_SHAPES.get(name)!);
  const x = g.feed('x', [1, 2, 4, 4]);
  const shift = reshape(g, g.feed('shift', [3]), [1, 3, 1, 1]);
  const y = conv(g, x, weight('conv.weight'), weight('conv.bias'), { pads: [1, 1, 1, 1] });
  const image = add(g, sigmoid(g, y), shift);
  const projected = matMul(g, reshape(g, image, [4, 12]), weight('proj.weight'));
  return { graph: g, outputs: { image, projected } };
}

/** Largest difference; NaN counts as infinite. */
export function maxDifference(a: NdArray, b: NdArray): number {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  return a.data.reduce((worst, v, i) => {
    const difference = Math.abs(v - b.data[i]!);
    return difference <= worst ? worst : Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }, 0);
}
