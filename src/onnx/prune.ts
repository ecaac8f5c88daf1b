import type { Graph, Node, Value } from './graph';

/** The nodes that the outputs depend on, in order. */
export function prune(g: Graph, outputs: readonly Value[]): readonly Node[] {
  const live = new Set(outputs.map((v) => v.name));
  return g.nodes
    .toReversed()
    .filter((node) => {
      const needed = node.outputs.some((o) => live.has(o.name));
      if (needed) for (const input of node.inputs) live.add(input.name);
      return needed;
    })
    .toReversed();
}
