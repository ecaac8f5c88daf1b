import { requiredInputs } from '../onnx/encode';
import { fold } from '../onnx/fold';
import type { Graph, Value } from '../onnx/graph';
import { executionOrder, leavesLast } from '../onnx/order';
import { AppError } from '../util/errors';
import type { BackendName } from './capabilities';
import { dispatched, gpuBytes, kernelCopies, ownLayouts, peakOf, planBuffers } from './memory-plan';
import { byteSize } from './tensor';
import { lowerConvolutions } from './winograd';

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
  /** constants of the graph included */
  readonly weights: number;
  /** most that feeds, results and everything between take at once */
  readonly activations: number;
  readonly largest: { readonly name: string; readonly bytes: number };
}

/** Where a graph runs, and which of its weights are constants there. */
export interface RunPlace {
  readonly backend: BackendName;
  /** default: all on CPU backends, none on WebGPU, as `compile` */
  readonly frozen?: (name: string) => boolean;
}

/**
 * Predict what a run takes by following what ONNX Runtime does with the graph: what it computes beforehand, the order it
 * runs in, the copies it makes for its own layouts, and which results share a buffer. README.md says how near that comes.
 */
export function estimateRun(graph: Graph, outputs: readonly Value[], place: RunPlace): RunEstimate {
  const { backend, frozen = () => backend !== 'webgpu' } = place;
  const lowered = backend === 'wasm' ? lowerConvolutions(graph, frozen).graph : graph;
  const { weights, feeds } = requiredInputs(lowered, outputs);
  const { nodes, constants } = fold(lowered, outputs);
  const known = new Set(weights.filter(({ name }) => frozen(name)).map(({ name }) => name));
  for (const name of ['', ...constants.keys()]) known.add(name);
  const remaining = nodes.filter(({ inputs, outputs: results }) => {
    const isKnown = inputs.every(({ name }) => known.has(name));
    if (isKnown) for (const { name } of results) known.add(name);
    return !isKnown;
  });
  const own = new Set(weights.map(({ name }) => name));
  // what is neither fed nor computed, e.g. ones for a norm's scale; shapes and axes stay on the host
  const held = new Map(
    remaining
      .flatMap(({ inputs }) => inputs)
      .filter(({ name, dtype }) => name !== '' && dtype !== 'int64' && known.has(name) && !own.has(name))
      .map((value) => [value.name, value]),
  );
  const laidOut = ownLayouts(leavesLast(remaining), backend, (name) => known.has(name), outputs);
  const order = executionOrder(laidOut);
  const buffers = planBuffers(order, outputs);

  const values = [...weights, ...feeds, ...nodes.flatMap((node) => node.outputs)];
  const largest = values.reduce(
    (most, value) => (byteSize(value) > most.bytes ? { name: value.name, bytes: byteSize(value) } : most),
    { name: '', bytes: 0 },
  );
  // WASM: copies in the heap of what it is fed
  const copied = backend === 'wasm' ? weights.filter(({ name }) => !frozen(name)) : [];
  return {
    weights: sum([
      ...weights,
      ...held.values(),
      ...kernelCopies(remaining, backend, (name) => known.has(name)),
    ]),
    activations:
      sum([...feeds, ...copied]) +
      (backend === 'webgpu' ? gpuBytes(buffers, dispatched(order)) : peakOf(buffers)),
    largest,
  };
}

const sum = (values: readonly Value[]): number => values.reduce((bytes, value) => bytes + byteSize(value), 0);

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
      `${largest.name} needs ${megabytes(largest.bytes)}; this device binds ${megabytes(limits.tensor!)}`,
    );
  }
  const total = estimate.weights + estimate.activations;
  if (total > (limits.total ?? Number.POSITIVE_INFINITY)) {
    throw new AppError(
      'TOO_BIG',
      `it needs about ${megabytes(total)} of memory; ${megabytes(limits.total!)} can be used here`,
    );
  }
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
