import { AppError } from './errors';

/** Dense row-major float32 tensor on the host. Shape letters: B batch, C channels, h,w latent pixels, H,W image pixels, L tokens, D width. */
export interface NdArray {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** Number of elements of a shape; 1 for a scalar. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** @throws AppError SHAPE when data does not fill shape */
export function ndArray(data: Float32Array | readonly number[], shape: readonly number[]): NdArray {
  const array = data instanceof Float32Array ? data : Float32Array.from(data);
  if (array.length !== sizeOf(shape)) {
    throw new AppError('SHAPE', `${array.length} values do not fill [${shape}]`, {
      length: array.length,
      shape,
    });
  }
  return { data: array, shape };
}

export const zeros = (shape: readonly number[]): NdArray => ({
  data: new Float32Array(sizeOf(shape)),
  shape,
});

/** Elementwise f over arrays of one shape (no broadcasting). @throws AppError SHAPE */
export function zip(f: (...values: number[]) => number, ...arrays: readonly NdArray[]): NdArray {
  const [first] = arrays as [NdArray];
  for (const { shape } of arrays) {
    if (shape.length !== first.shape.length || shape.some((d, i) => d !== first.shape[i])) {
      throw new AppError('SHAPE', `shapes differ: [${first.shape}] and [${shape}]`);
    }
  }
  return { data: first.data.map((_, i) => f(...arrays.map((a) => a.data[i]!))), shape: first.shape };
}

/** a·x + b·y, the arithmetic of every sampler. @throws AppError SHAPE */
export function axpby(a: number, x: NdArray, b: number, y: NdArray): NdArray {
  if (x.data.length !== y.data.length)
    throw new AppError('SHAPE', `shapes differ: [${x.shape}] and [${y.shape}]`);
  const data = new Float32Array(x.data.length);
  for (let i = 0; i < data.length; i++) data[i] = a * x.data[i]! + b * y.data[i]!;
  return { data, shape: x.shape };
}

export const scale = (a: number, x: NdArray): NdArray => ({ data: x.data.map((v) => a * v), shape: x.shape });
export const sub = (x: NdArray, y: NdArray): NdArray => axpby(1, x, -1, y);

/** Join along the first axis. */
export function stack(arrays: readonly NdArray[]): NdArray {
  const [first] = arrays as [NdArray];
  const data = new Float32Array(arrays.reduce((n, a) => n + a.data.length, 0));
  let at = 0;
  let rows = 0;
  for (const a of arrays) {
    data.set(a.data, at);
    at += a.data.length;
    rows += a.shape[0]!;
  }
  return { data, shape: [rows, ...first.shape.slice(1)] };
}

/** Rows [begin, end) of the first axis, a view on the same memory. */
export function rows(x: NdArray, begin: number, end: number): NdArray {
  const stride = sizeOf(x.shape.slice(1));
  return { data: x.data.subarray(begin * stride, end * stride), shape: [end - begin, ...x.shape.slice(1)] };
}

/** True when every value is finite: the NaN/Inf sentinel. */
export function isFiniteArray(x: NdArray): boolean {
  for (const v of x.data) if (!Number.isFinite(v)) return false;
  return true;
}
