import type { Node, Value } from './graph';

/** The nodes that the outputs depend on, in order. */
export function prune(
  { nodes }: { readonly nodes: readonly Node[] },
  outputs: readonly Value[],
): readonly Node[] {
  const live = new Set(outputs.map((v) => v.name));
  return nodes
    .toReversed()
    .filter((node) => {
      const needed = node.outputs.some((o) => live.has(o.name));
      if (needed) for (const input of node.inputs) live.add(input.name);
      return needed;
    })
    .toReversed();
}
