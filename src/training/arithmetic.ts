/** One way to write elementwise formulas, two places to run them: as nodes of a graph, or over host arrays in blocks. */
import type { Graph, Value } from '../onnx/graph';
import * as op from '../onnx/ops';

export interface Arithmetic<T> {
  constant(value: number): T;
  add(a: T, b: T): T;
  sub(a: T, b: T): T;
  mul(a: T, b: T): T;
  div(a: T, b: T): T;
  sqrt(a: T): T;
}

export const graphArithmetic = (g: Graph): Arithmetic<Value> => ({
  constant: (value) => op.scalar(g, value),
  add: (a, b) => op.add(g, a, b),
  sub: (a, b) => op.sub(g, a, b),
  mul: (a, b) => op.mul(g, a, b),
  div: (a, b) => op.div(g, a, b),
  sqrt: (a) => op.sqrt(g, a),
});

/** A number stands for a block of equal ones. */
export type Block = Float32Array | number;

/** Elements per block: a formula's temporaries then stay in the CPU's first-level cache. */
export const BLOCK_SIZE = 512;

export interface HostArithmetic extends Arithmetic<Block> {
  /** Forget all results so far: their memory is used again. */
  reset(): void;
}

/** Arithmetic over blocks of at most BLOCK_SIZE elements, rounded to float32 after every operation as a GPU does. */
export function hostArithmetic(): HostArithmetic {
  const pool: Float32Array[] = [];
  let used = 0;
  const result = (length: number): Float32Array => {
    const block = pool[used] ?? new Float32Array(BLOCK_SIZE);
    pool[used++] = block;
    return length === BLOCK_SIZE ? block : block.subarray(0, length);
  };
  return {
    constant: (value) => value,
    add(a, b) {
      if (typeof a === 'number') return typeof b === 'number' ? a + b : this.add(b, a);
      const out = result(a.length);
      if (typeof b === 'number') for (let i = 0; i < out.length; i++) out[i] = a[i]! + b;
      else for (let i = 0; i < out.length; i++) out[i] = a[i]! + b[i]!;
      return out;
    },
    sub(a, b) {
      if (typeof b === 'number') return this.add(a, -b);
      const out = result(b.length);
      if (typeof a === 'number') for (let i = 0; i < out.length; i++) out[i] = a - b[i]!;
      else for (let i = 0; i < out.length; i++) out[i] = a[i]! - b[i]!;
      return out;
    },
    mul(a, b) {
      if (typeof a === 'number') return typeof b === 'number' ? a * b : this.mul(b, a);
      const out = result(a.length);
      if (typeof b === 'number') for (let i = 0; i < out.length; i++) out[i] = a[i]! * b;
      else for (let i = 0; i < out.length; i++) out[i] = a[i]! * b[i]!;
      return out;
    },
    div(a, b) {
      if (typeof b === 'number') return typeof a === 'number' ? a / b : this.mul(a, 1 / b);
      const out = result(b.length);
      if (typeof a === 'number') for (let i = 0; i < out.length; i++) out[i] = a / b[i]!;
      else for (let i = 0; i < out.length; i++) out[i] = a[i]! / b[i]!;
      return out;
    },
    sqrt(a) {
      if (typeof a === 'number') return Math.sqrt(a);
      const out = result(a.length);
      for (let i = 0; i < out.length; i++) out[i] = Math.sqrt(a[i]!);
      return out;
    },
    reset() {
      used = 0;
    },
  };
}
