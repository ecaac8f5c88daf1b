import { requiredInputs } from '../onnx/encode';
import type { Graph, Value } from '../onnx/graph';
import { prune } from '../onnx/prune';
import { AppError } from '../util/errors';
import { byteSize } from './tensor';

/** What one backend holds, in bytes: in GPU buffers on WebGPU, on the host otherwise. */
export interface MemoryUse {
  /** shared weights that programs are fed */
  readonly weights: number;
  /** weights copied into sessions as constants (CPU backends) */
  readonly baked: number;
  /** feeds and results that stay on the device */
  readonly tensors: number;
  readonly sessions: number;
}

export type MemoryKind = keyof MemoryUse;

/** Counts what a backend's stores and programs hold. */
export class MemoryMeter {
  readonly #use = { weights: 0, baked: 0, tensors: 0, sessions: 0 };

  add(kind: MemoryKind, amount: number): void {
    this.#use[kind] += amount;
  }

  /** A copy, as plain data. */
  use(): MemoryUse {
    return { ...this.#use };
  }
}

/** What running a graph once takes, in bytes. */
export interface RunEstimate {
  readonly weights: number;
  /** most that is alive at once between nodes, feeds and results included */
  readonly activations: number;
  readonly largest: { readonly name: string; readonly bytes: number };
}

/**
 * Estimate by liveness over the nodes that the outputs need: a value lives from its node to its last reader. ORT reuses buffers in the
 * same way, so this is its peak but for fusion, alignment and kernel scratch.
 */
export function estimateRun(graph: Graph, outputs: readonly Value[]): RunEstimate {
  const nodes = prune(graph, outputs);
  const inputs = requiredInputs(graph, outputs);
  const lastUse = new Map<string, number>();
  nodes.forEach((node, i) => {
    for (const { name } of node.inputs) lastUse.set(name, i);
  });
  for (const { name } of outputs) lastUse.set(name, nodes.length);

  let largest = { name: '', bytes: 0 };
  const measure = (value: Value): number => {
    const bytes = byteSize(value);
    if (bytes > largest.bytes) largest = { name: value.name, bytes };
    return bytes;
  };
  const weights = inputs.weights.reduce((sum, value) => sum + measure(value), 0);

  const dying = new Map<number, number>();
  let alive = 0;
  const born = (value: Value, at: number): void => {
    const bytes = measure(value);
    const end = lastUse.get(value.name) ?? at;
    alive += bytes;
    dying.set(end, (dying.get(end) ?? 0) + bytes);
  };
  for (const feed of inputs.feeds) born(feed, -1);
  let peak = alive;
  nodes.forEach((node, i) => {
    for (const output of node.outputs) born(output, i);
    peak = Math.max(peak, alive);
    alive -= dying.get(i) ?? 0;
  });
  return { weights, activations: peak, largest };
}

/**
 * Refuse a job that cannot fit before it starts.
 *
 * @param limits bytes; `total` is what the person allows, `tensor` what one binding may hold
 * @throws AppError TOO_BIG naming what does not fit
 */
export function checkFits(
  estimate: RunEstimate,
  limits: { readonly total?: number; readonly tensor?: number },
): void {
  const { largest } = estimate;
  if (largest.bytes > (limits.tensor ?? Number.POSITIVE_INFINITY)) {
    throw new AppError(
      'TOO_BIG',
      `${largest.name} needs ${largest.bytes} bytes; this device binds ${limits.tensor}`,
    );
  }
  const total = estimate.weights + estimate.activations;
  if (total > (limits.total ?? Number.POSITIVE_INFINITY)) {
    throw new AppError(
      'TOO_BIG',
      `the job needs about ${total} bytes of memory; ${limits.total} are allowed`,
    );
  }
}
