import { sizeOf } from '../util/nd-array';
import type { Constant, Graph, Node, Value } from './graph';
import { prune } from './prune';
import { sameShape } from './shape';

/** What remains to be computed for some outputs. */
export interface Program {
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Constant>;
}

/** Larger constants are data, not shapes or scalars, and stay as they are. */
const MAX_SIZE = 64;

/**
 * The needed nodes, with shape-like and scalar constants worked out beforehand, and nodes that pass their input on
 * unchanged taken out. Values keep their names; the outputs stay outputs of nodes.
 */
export function fold(g: Graph, outputs: readonly Value[]): Program {
  const kept = new Set(outputs.map((v) => v.name));
  const constants = new Map(g.constants);
  const alias = new Map<string, Value>();
  const producers = new Map<string, Node>();
  const nodes: Node[] = [];
  for (const original of prune(g, outputs)) {
    const inputs = original.inputs.map((v) => alias.get(v.name) ?? v);
    // a reshape of a reshape needs the last shape only
    const first = original.op === 'Reshape' ? producers.get(inputs[0]!.name) : undefined;
    if (first?.op === 'Reshape') inputs[0] = first.inputs[0]!;
    const node = { ...original, inputs };
    const [out] = node.outputs as readonly [Value];
    if (node.outputs.length === 1 && !kept.has(out.name)) {
      const same = passedOn(node, constants);
      if (same) {
        alias.set(out.name, same);
        continue;
      }
      const data = evaluate(node, constants);
      if (data) {
        constants.set(out.name, { value: out, data: pack(data, out.dtype) });
        continue;
      }
    }
    for (const v of node.outputs) producers.set(v.name, node);
    nodes.push(node);
  }
  return { nodes: prune({ nodes }, outputs), constants };
}

/** The input that a node returns unchanged, if it does. */
function passedOn(
  { op, inputs, outputs, attrs }: Node,
  constants: ReadonlyMap<string, Constant>,
): Value | undefined {
  const [out] = outputs as readonly [Value];
  const [a, b] = inputs;
  const equal = (v: Value | undefined): boolean => v?.dtype === out.dtype && sameShape(v.shape, out.shape);
  const filled = (v: Value | undefined, with_: number): boolean => {
    const data = v && constants.get(v.name)?.data;
    return v?.dtype === 'float32' && data !== undefined && data.every((d: number | bigint) => d === with_);
  };
  switch (op) {
    case 'Identity':
    case 'Reshape':
    case 'Expand':
    case 'Cast':
      return equal(a) ? a : undefined;
    case 'Transpose':
      return (attrs.perm as readonly number[]).every((p, i) => p === i) ? a : undefined;
    case 'Mul':
      return equal(a) && filled(b, 1) ? a : equal(b) && filled(a, 1) ? b : undefined;
    case 'Add':
      return equal(a) && filled(b, 0) ? a : equal(b) && filled(a, 0) ? b : undefined;
    case 'Sub':
      return equal(a) && filled(b, 0) ? a : undefined;
    case 'Div':
      return equal(a) && filled(b, 1) ? a : undefined;
    default:
      return undefined;
  }
}

const UNARY: Readonly<Record<string, (a: number) => number>> = {
  Neg: (a) => -a,
  Sqrt: Math.sqrt,
  Reciprocal: (a) => 1 / a,
  Reshape: (a) => a,
  Cast: (a) => a,
};

const BINARY: Readonly<Record<string, (a: number, b: number, integer: boolean) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b, integer) => (integer ? Math.trunc(a / b) : a / b),
};

/** The value of a node whose inputs are all small constants, if we know the op. */
function evaluate(node: Node, constants: ReadonlyMap<string, Constant>): readonly number[] | undefined {
  const [out] = node.outputs as readonly [Value];
  if (![out, ...node.inputs].every((v) => isSmall(v) || node.op === 'Shape')) return undefined;
  if (node.op === 'Shape') return node.inputs[0]!.shape;
  const inputs = node.inputs.map((v) => constants.get(v.name));
  if (inputs.length === 0 || !inputs.every((c) => c !== undefined)) return undefined;
  const [a, b] = inputs.map(({ data }) => Array.from(data as ArrayLike<number | bigint>, Number));
  const unary = UNARY[node.op];
  if (unary) return a!.map(unary);
  const binary = BINARY[node.op];
  if (binary) {
    const integer = out.dtype === 'int64';
    const [at, bt] = inputs.map(({ value }) => broadcastIndex(value.shape, out.shape));
    return Array.from({ length: sizeOf(out.shape) }, (_, i) => binary(a![at!(i)]!, b![bt!(i)]!, integer));
  }
  if (node.op === 'Expand') {
    const at = broadcastIndex(inputs[0]!.value.shape, out.shape);
    return Array.from({ length: sizeOf(out.shape) }, (_, i) => a![at(i)]!);
  }
  if (node.op === 'Concat' && out.shape.length === 1) {
    return inputs.flatMap(({ data }) => Array.from(data as ArrayLike<number | bigint>, Number));
  }
  if (node.op === 'Gather' && inputs[0]!.value.shape.length === 1) return b!.map((i) => a!.at(i)!);
  return undefined;
}

const isSmall = ({ dtype, shape }: Value): boolean =>
  (dtype === 'float32' || dtype === 'int64') && sizeOf(shape) <= MAX_SIZE;

/** Flat index into a tensor of shape `from` that broadcasts to `to`, given the flat index into the result. */
function broadcastIndex(from: readonly number[], to: readonly number[]) {
  return (index: number): number => {
    let [at, stride, rest] = [0, 1, index];
    for (let i = to.length - 1; i >= 0; i--) {
      const coordinate = rest % to[i]!;
      rest = Math.floor(rest / to[i]!);
      const size = from[i - to.length + from.length] ?? 1;
      if (size !== 1) at += coordinate * stride;
      stride *= size;
    }
    return at;
  };
}

const pack = (values: readonly number[], dtype: Value['dtype']): Constant['data'] =>
  dtype === 'int64' ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
