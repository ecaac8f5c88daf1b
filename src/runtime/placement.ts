import { encode } from '../onnx/encode';
import { Graph, type Node, type Value } from '../onnx/graph';
import { prune } from '../onnx/prune';
import type { Backend } from './backend';

/**
 * Ops of a graph that have no WebGPU kernel, by trying one node of each kind alone (ORT says only that there are some).
 * Slow: for an error message. Calls ORT, so only inside the backend's mutex.
 */
export async function refusedByGpu(
  backend: Backend,
  graph: Graph,
  outputs: readonly Value[],
): Promise<string[]> {
  const kinds = new Map<string, Node>();
  for (const node of prune(graph, outputs)) {
    const dtypes = [...node.inputs, ...node.outputs].map(({ dtype }) => dtype);
    kinds.set(`${node.op} ${JSON.stringify(node.attrs)} ${dtypes}`, node);
  }
  const refused = new Set<string>();
  for (const node of kinds.values()) {
    if (await isRefused(backend, alone(graph, node), node.outputs)) refused.add(node.op);
  }
  return [...refused];
}

/** A graph of one node: what it reads becomes feeds, constants stay. */
function alone(graph: Graph, node: Node): Graph {
  const single = new Graph();
  for (const value of new Set(node.inputs)) {
    if (value.name === '') continue; // an optional input left out
    const constant = graph.constants.get(value.name);
    if (constant) single.constants.set(value.name, constant);
    else single.feeds.push(value);
  }
  single.nodes.push(node);
  return single;
}

async function isRefused(backend: Backend, graph: Graph, outputs: readonly Value[]): Promise<boolean> {
  try {
    const session = await backend.ort.InferenceSession.create(encode(graph, outputs), {
      ...backend.sessionOptions,
      extra: { session: { disable_cpu_ep_fallback: '1' } },
    });
    await session.release();
    return false;
  } catch {
    return true;
  }
}
