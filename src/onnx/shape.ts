import { AppError } from '../util/errors';
import type { Shape, Value } from './graph';

/** Shape of an elementwise result under NumPy's rules. @throws AppError SHAPE */
export function broadcastShapes(...shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((s) => s[s.length - rank + i] ?? 1).filter((d) => d !== 1);
    if (sizes.some((d) => d !== sizes[0])) {
      throw new AppError('SHAPE', `cannot broadcast ${shapes.map((s) => `[${s}]`).join(' with ')}`);
    }
    return sizes[0] ?? 1;
  });
}

/** Axis in [0, rank), counting from the end when negative. @throws AppError SHAPE */
export function axisOf(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new AppError('SHAPE', `axis ${axis} is not an axis of a tensor of rank ${rank}`);
  }
  return positive;
}

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);

/** @throws AppError SHAPE naming the op and what it got */
export function expectShape(holds: boolean, op: string, message: string, ...inputs: readonly Value[]): void {
  if (holds) return;
  const found = inputs.map((v) => `${v.name}: ${v.dtype}[${v.shape}]`).join(', ');
  throw new AppError('SHAPE', `${op}: ${message}; found ${found}`);
}

/** A sliding window over the spatial axes. `pads` lists all begins, then all ends. */
export interface Window {
  readonly strides?: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
}

/** Window with every field given for `rank` spatial axes. */
export const fullWindow = (rank: number, { strides, pads, dilations }: Window) => ({
  strides: strides ?? Array<number>(rank).fill(1),
  pads: pads ?? Array<number>(2 * rank).fill(0),
  dilations: dilations ?? Array<number>(rank).fill(1),
});

/** Spatial sizes after sliding a kernel over `sizes`, rounding down. */
export function windowed(sizes: Shape, kernel: Shape, window: Window): Shape {
  const rank = sizes.length;
  const { strides, pads, dilations } = fullWindow(rank, window);
  return sizes.map((d, i) => {
    const free = d + pads[i]! + pads[rank + i]! - dilations[i]! * (kernel[i]! - 1) - 1;
    return Math.floor(free / strides[i]!) + 1;
  });
}
