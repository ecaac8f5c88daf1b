import type { Node } from './graph';

/**
 * Nodes whose results nothing reads at the end, the latest of them first. ONNX Runtime runs a graph depth first from its
 * leaves, beginning with the last: a graph that ends in many gradients would otherwise begin with the one computed last
 * and keep everything that the others need until then.
 */
export function leavesLast(nodes: readonly Node[]): readonly Node[] {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs.map(({ name }) => name)));
  const inner = (node: Node): boolean => node.outputs.some(({ name }) => read.has(name));
  return [...nodes.filter(inner), ...nodes.filter((node) => !inner(node)).toReversed()];
}

/**
 * The order in which ONNX Runtime runs a graph: depth first from the nodes that nothing reads, last one first; of a
 * node's inputs the one of the latest node first.
 *
 * @param nodes  as they stand in the model
 * @see onnxruntime 1.30, core/graph/graph_viewer.cc, Graph::ReverseDFSFrom
 */
export function executionOrder(nodes: readonly Node[]): readonly Node[] {
  const producer = new Map(nodes.flatMap((node, i) => node.outputs.map(({ name }) => [name, i] as const)));
  const inputs = nodes.map((node) =>
    node.inputs.flatMap(({ name }) => producer.get(name) ?? []).toSorted((a, b) => a - b),
  );
  const read = new Set(inputs.flat());
  const stack = nodes.flatMap((_, i) => (read.has(i) ? [] : [{ at: i, done: false }]));
  const visited = new Set<number>();
  const order: Node[] = [];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { at, done } = next;
    if (done) order.push(nodes[at]!);
    if (visited.has(at)) continue;
    visited.add(at);
    stack.push({ at, done: true });
    for (const input of inputs[at]!) if (!visited.has(input)) stack.push({ at: input, done: false });
  }
  return order;
}
