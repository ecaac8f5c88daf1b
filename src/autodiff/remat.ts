/** Rematerialisation: trade a second forward pass of a region for the memory of its values. */
import type { Graph, Node, Region, Value } from '../onnx/graph';
import { reshape, slice } from '../onnx/movement';
import * as op from '../onnx/ops';

/** Kinds of regions that are computed again. */
export type Recompute = readonly Region['kind'][];

/**
 * Visit the nodes that g has now from last to first. On entering a region of a wanted kind its nodes are appended again,
 * from the values that flow into it; within, `values` maps to those copies. Nested regions are copied once more.
 *
 * @param cotangents  by value name; a region whose outputs have none is passed over
 * @see Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174
 */
export function recomputed(
  g: Graph,
  kinds: Recompute,
  cotangents: ReadonlyMap<string, Value>,
  visit: (node: Node, index: number, values: (v: Value) => Value) => void,
): void {
  const nodes = [...g.nodes];
  const regions = g.regions.filter(({ kind }) => kinds.includes(kind));

  const walk = (begin: number, end: number, within: Region | null, values: (v: Value) => Value): void => {
    for (let i = end - 1; i >= begin; i--) {
      // the outermost region that ends here and lies inside the one being walked
      const region = regions.findLast(
        (r) => r.end === i + 1 && r.begin >= begin && r !== within && !(within && contains(r, within)),
      );
      if (region) {
        const inside = nodes.slice(region.begin, region.end);
        const signal = inside.flatMap(({ outputs }) =>
          outputs.flatMap(({ name }) => cotangents.get(name) ?? []),
        )[0];
        if (signal) walk(region.begin, region.end, region, copied(g, inside, values, signal));
        i = region.begin;
      } else visit(nodes[i]!, i, values);
    }
  };
  walk(0, nodes.length, null, (v) => v);
}

const contains = (a: Region, b: Region): boolean => a.begin <= b.begin && a.end >= b.end;

/**
 * Append the nodes again. What flows in is tied to `signal`, a cotangent that arrives from behind: otherwise the runtime
 * would see twice the same computation and keep the first, or compute the copy at once.
 */
function copied(
  g: Graph,
  nodes: readonly Node[],
  outer: (v: Value) => Value,
  signal: Value,
): (v: Value) => Value {
  const copies = new Map<string, Value>();
  const zero = op.mul(g, firstElement(g, signal), op.scalar(g, 0, signal.dtype));
  const input = (v: Value): Value => {
    const known = copies.get(v.name);
    if (known) return known;
    const kept = g.weights.has(v.name) || g.constants.has(v.name) || !v.dtype.startsWith('float') || !v.name;
    const value = kept ? outer(v) : op.add(g, outer(v), op.cast(g, zero, v.dtype));
    copies.set(v.name, value);
    return value;
  };
  for (const { op: name, domain, inputs, outputs, attrs } of nodes) {
    const values = g.append(name, inputs.map(input), outputs, attrs, domain);
    for (const [i, { name: original }] of outputs.entries()) copies.set(original, values[i]!);
  }
  return (v) => copies.get(v.name) ?? outer(v);
}

function firstElement(g: Graph, v: Value): Value {
  const axes = v.shape.map((_, i) => i);
  const corner =
    v.shape.length === 0
      ? v
      : slice(
          g,
          v,
          axes.map(() => 0),
          axes.map(() => 1),
          axes,
        );
  return reshape(g, corner, [1]);
}
