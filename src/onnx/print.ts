import { sizeOf } from '../util/nd-array';
import { fold } from './fold';
import type { Attrs, Graph, Value } from './graph';

/** Constants up to this size are printed as their values. */
const INLINE = 8;

/** A graph as text, one line per needed node, intermediate values numbered in order: for review and snapshots. */
export function print(g: Graph, outputs: readonly Value[]): string {
  const { nodes, constants } = fold(g, outputs);
  const numbers = new Map<string, string>();
  const label = (v: Value): string => {
    const constant = constants.get(v.name);
    if (!constant) return numbers.get(v.name) ?? (v.name || '_');
    if (sizeOf(v.shape) > INLINE) return `const ${type(v)}`;
    const values = Array.from(constant.data as ArrayLike<number | bigint>, text).join(',');
    return v.shape.length === 0 ? values : `[${values}]`;
  };
  const used = new Set([...nodes.flatMap((n) => n.inputs), ...outputs].map((v) => v.name));
  const declared = [...g.feeds, ...g.weights.values()].filter((v) => used.has(v.name));
  const lines = declared.map((v) => `${v.name}: ${type(v)}`);
  for (const { op, inputs, outputs: results, attrs } of nodes) {
    const args = inputs.map(label).join(', ');
    const read = results.filter((v) => used.has(v.name));
    for (const v of read) numbers.set(v.name, `%${numbers.size}`);
    const left = read.map((v) => `${label(v)}: ${type(v)}`).join(', ');
    lines.push(`${left} = ${op}(${args})${attributes(attrs)}`);
  }
  return [...lines, `return ${outputs.map(label).join(', ')}`].join('\n');
}

/** Enough digits to tell float32 values apart in a review. */
const text = (v: number | bigint): string => String(typeof v === 'bigint' ? v : Number(v.toPrecision(6)));

const type = ({ dtype, shape }: Value): string => `${dtype}[${shape}]`;

function attributes(attrs: Attrs): string {
  const entries = Object.entries(attrs).map(([name, value]) => {
    if (typeof value === 'object') return `${name}=${'float' in value ? text(value.float) : `[${value}]`}`;
    return `${name}=${value}`;
  });
  return entries.length === 0 ? '' : ` {${entries.join(' ')}}`;
}
