import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';

export type DType = 'float32' | 'float16' | 'int64' | 'bool';
export type Shape = readonly number[];

/** A named tensor of a graph: symbolic, with static shape. */
export interface Value {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

export type Attr = number | readonly number[] | string;
/** Floats that happen to be whole (epsilon 1, alpha 2) must be written as `{ float: v }`: ONNX types its attributes. */
export type Attrs = Readonly<Record<string, Attr | { readonly float: number }>>;

export interface Node {
  readonly op: string;
  /** '' is the standard ONNX domain */
  readonly domain: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attrs: Attrs;
}

/** Raw storage by dtype: float16 as its bits, bool as 0/1 bytes. */
export type ConstantData = Float32Array | Uint16Array | BigInt64Array | Uint8Array;

export interface Constant {
  readonly value: Value;
  readonly data: ConstantData;
}

/** Stands for an optional input that is left out (ONNX writes an empty name). */
export const absent: Value = { name: '', shape: [], dtype: 'float32' };

/** Constants up to this many elements are shared when equal: the same shape, axis or epsilon is asked for again and again. */
const SHARED_CONSTANT_SIZE = 64;

/** A stretch of nodes [begin, end) that a gradient may compute again instead of keeping its values. Regions nest. */
export interface Region {
  readonly kind: 'block' | 'tile';
  readonly begin: number;
  readonly end: number;
}

/** Append-only SSA graph with static shapes: every op appends one node and returns its output(s). */
export class Graph {
  readonly nodes: Node[] = [];
  /** fed anew at every run */
  readonly feeds: Value[] = [];
  /** named by state-dict key, bound from the WeightStore; one entry per key */
  readonly weights = new Map<string, Value>();
  readonly constants = new Map<string, Constant>();
  /** names of values that gradients do not flow back from (`detach`) */
  readonly detached = new Set<string>();
  /** inner ones before the ones around them */
  readonly regions: Region[] = [];
  readonly #shared = new Map<string, Value>();
  #count = 0;

  feed(name: string, shape: Shape, dtype: DType = 'float32'): Value {
    const value = { name, shape, dtype };
    this.feeds.push(value);
    return value;
  }

  /** The weight called `name`; the same Value when asked twice. @throws AppError SHAPE when asked with two shapes */
  weight(name: string, shape: Shape, dtype: DType = 'float32'): Value {
    const known = this.weights.get(name);
    if (known && known.shape.join() !== shape.join()) {
      throw new AppError('SHAPE', `weight ${name} is used as [${known.shape}] and as [${shape}]`);
    }
    const value = known ?? { name, shape, dtype };
    this.weights.set(name, value);
    return value;
  }

  constant(data: readonly number[] | ConstantData, shape: Shape, dtype: DType = 'float32'): Value {
    if (data.length !== sizeOf(shape)) {
      throw new AppError('SHAPE', `${data.length} values do not fill a constant of shape [${shape}]`);
    }
    const key = data.length > SHARED_CONSTANT_SIZE ? '' : `${dtype}[${shape}]${[...data].map(exact)}`;
    const shared = this.#shared.get(key);
    if (shared) return shared;
    const value = { name: `c${this.#count++}`, shape, dtype };
    if (key) this.#shared.set(key, value);
    this.constants.set(value.name, {
      value,
      data: Array.isArray(data) ? pack(data, dtype) : (data as ConstantData),
    });
    return value;
  }

  /** Whatever `build` appends becomes a region. */
  region<T>(kind: Region['kind'], build: () => T): T {
    const begin = this.nodes.length;
    const result = build();
    if (this.nodes.length > begin) this.regions.push({ kind, begin, end: this.nodes.length });
    return result;
  }

  /** Append a node. One output per entry of `outputs`. */
  append(
    op: string,
    inputs: readonly Value[],
    outputs: readonly { shape: Shape; dtype?: DType }[],
    attrs: Attrs = {},
    domain = '',
  ): readonly Value[] {
    const id = this.#count++;
    const values = outputs.map(({ shape, dtype }, i) => ({
      name: outputs.length > 1 ? `${op}_${id}_${i}` : `${op}_${id}`,
      shape,
      dtype: dtype ?? inputs[0]?.dtype ?? 'float32',
    }));
    this.nodes.push({ op, domain, inputs, outputs: values, attrs });
    return values;
  }
}

/** Text that tells -0 from 0. */
const exact = (v: number | bigint): string => (Object.is(v, -0) ? '-0' : String(v));

function pack(data: readonly number[], dtype: DType): ConstantData {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(data);
    case 'int64':
      return BigInt64Array.from(data, BigInt);
    case 'bool':
      return Uint8Array.from(data, (v) => (v ? 1 : 0));
    case 'float16':
      throw new AppError('GRAPH', 'float16 constants are given as bits');
  }
}
