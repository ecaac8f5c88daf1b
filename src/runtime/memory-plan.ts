/** Which results share a buffer when ONNX Runtime runs a graph, and what that takes. */
import type { Node, Value } from '../onnx/graph';
import type { BackendName } from './capabilities';
import { byteSize } from './tensor';

/** A stretch of memory, taken before a node runs and given back after one has run; positions in the order of execution. */
export interface PlannedBuffer {
  readonly name: string;
  readonly bytes: number;
  readonly from: number;
  /** Infinity: a result of the run */
  readonly to: number;
}

/** Vector registers of AVX-512 hold 16 floats, and so do the blocks of channels that ORT lays images out in on such CPUs. */
const BLOCK = 16;

/**
 * Add the copies that ORT makes around convolutions to have images in a layout of its own: in blocks of channels on x86
 * (Node) where the kernel is a constant, channels last on WebGPU. Copies of one image are shared; between two
 * convolutions with nothing in between there are none.
 */
export function ownLayouts(
  nodes: readonly Node[],
  backend: BackendName,
  known: (name: string) => boolean,
  outputs: readonly Value[],
): readonly Node[] {
  if (backend === 'wasm') return nodes;
  const applies = ({ op, inputs: [x, kernel], outputs: [y], attrs }: Node): boolean => {
    if (backend === 'webgpu') return op === 'Conv' || op === 'ConvTranspose';
    if (op !== 'Conv' || !known(kernel!.name)) return false;
    const group = Number(attrs.group ?? 1);
    return group === 1 || (group === x!.shape[1] && y!.shape[1]! % BLOCK === 0);
  };
  const laidOut: Node[] = [];
  const copies = new Map<string, Value>();
  const copy = (from: Value, to: Value): void => {
    laidOut.push({ op: 'Reorder', domain: '', inputs: [from], outputs: [to], attrs: {} });
  };
  const inOwn = (value: Value): Value => {
    const [batch, channels, ...size] = value.shape as readonly [number, number, ...number[]];
    const whole = Math.ceil(channels / BLOCK) * BLOCK;
    const shape = backend === 'webgpu' ? [batch, ...size, channels] : [batch, whole, ...size];
    return { ...value, name: `own ${value.name}`, shape };
  };
  const own = (value: Value): Value => {
    const made = copies.get(value.name) ?? inOwn(value);
    if (!copies.has(value.name)) copy(value, made);
    copies.set(value.name, made);
    return made;
  };
  for (const node of nodes) {
    if (!applies(node)) {
      laidOut.push(node);
      continue;
    }
    const [x, kernel, ...rest] = node.inputs as readonly [Value, Value, ...Value[]];
    const [y] = node.outputs as readonly [Value];
    // few channels are read as they are
    const input = backend === 'webgpu' || x.shape[1]! >= BLOCK ? own(x) : x;
    const weight = backend === 'webgpu' && !known(kernel.name) ? own(kernel) : kernel;
    const result = inOwn(y);
    laidOut.push({ ...node, inputs: [input, weight, ...rest], outputs: [result] });
    copies.set(y.name, result);
    copy(result, y);
  }
  const read = new Set([...laidOut.flatMap(({ inputs }) => inputs), ...outputs].map(({ name }) => name));
  return laidOut.filter(({ op, outputs: [copied] }) => op !== 'Reorder' || read.has(copied!.name));
}

/**
 * On WebGPU a constant kernel is laid out beforehand, once for each way in which it is used: the copies beside the first.
 */
export function kernelCopies(
  nodes: readonly Node[],
  backend: BackendName,
  known: (name: string) => boolean,
): readonly Value[] {
  if (backend !== 'webgpu') return [];
  const uses = new Map<string, Value>();
  for (const { op, inputs } of nodes) {
    const kernel = inputs[1];
    if ((op === 'Conv' || op === 'ConvTranspose') && known(kernel!.name))
      uses.set(`${op} ${kernel!.name}`, kernel!);
  }
  const first = new Set([...uses.values()].map(({ name }) => name));
  return [...uses.values()].filter(({ name }) => !first.delete(name));
}

/** How many kernels the GPU is given before the node at a position; views of a buffer are none. */
export function dispatched(order: readonly Node[]): (at: number) => number {
  let count = 0;
  const before = order.map(({ op }) => (VIEWS.has(op) ? count : count++));
  return (at) => before[at] ?? count;
}

/** Results that are their first input seen with another shape. */
const VIEWS = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity']);
/** Ops whose CPU kernel overwrites its input when nobody else reads that. Seen in profiles: sums and products do not. */
const IN_PLACE = new Set(['Softmax', 'Erf', 'Exp', 'Neg', 'Sigmoid', 'Sqrt', 'Reciprocal', 'Relu', 'Tanh']);

/**
 * Which buffers a run takes, and for how long. A result takes over the buffer of a dead value of the very same shape if
 * there is one, the latest to die first; until then that buffer stays taken, although nothing in it is needed.
 *
 * @param nodes    in order of execution
 * @param outputs  what the run returns: never shared
 * @see onnxruntime 1.30, core/framework/allocation_planner.cc
 */
export function planBuffers(nodes: readonly Node[], outputs: readonly Value[]): readonly PlannedBuffer[] {
  const results = new Set(outputs.map(({ name }) => name));
  const readers = new Map<string, number>();
  const count = (name: string, by: number): number => {
    const n = (readers.get(name) ?? 0) + by;
    readers.set(name, n);
    return n;
  };
  for (const { inputs } of nodes) for (const { name } of inputs) count(name, 1);
  for (const name of results) count(name, 1);

  /** value → the value whose buffer it lies in; only what nodes compute */
  const owner = new Map<string, Value>();
  /** by shape, the latest to die last */
  const dead = new Map<string, Value[]>();
  const buffers = new Map<string, { name: string; bytes: number; from: number; to: number }>();

  const shared = (node: Node, output: Value): Value | undefined => {
    if (results.has(output.name)) return undefined;
    const [first] = node.inputs;
    const before = first && owner.get(first.name);
    if (before && VIEWS.has(node.op)) return before;
    const overwrites = IN_PLACE.has(node.op) && before && !results.has(before.name);
    if (overwrites && readers.get(before.name) === 1 && kind(first) === kind(output)) return before;
    return dead.get(kind(output))?.pop();
  };
  const release = (value: Value, at: number): void => {
    buffers.get(value.name)!.to = results.has(value.name) ? Number.POSITIVE_INFINITY : at;
    if (count(value.name, -1) > 0) return;
    const known = dead.get(kind(value));
    if (known) known.push(value);
    else dead.set(kind(value), [value]);
  };

  nodes.forEach((node, at) => {
    for (const output of node.outputs) {
      const from = shared(node, output) ?? output;
      owner.set(output.name, from);
      if (from === output)
        buffers.set(output.name, { name: output.name, bytes: byteSize(output), from: at, to: at });
      else count(from.name, readers.get(output.name) ?? 0);
      // while its node runs, a result has a reader more: what nobody reads is dead only after it
      count(from.name, 1);
    }
    for (const { name } of node.inputs) {
      const value = owner.get(name);
      if (value) release(value, at);
    }
    for (const { name } of node.outputs) release(owner.get(name)!, at);
  });
  return [...buffers.values()];
}

/** Values of one kind can lie in each other's buffer. */
const kind = ({ dtype, shape }: Value): string => `${dtype}[${shape}]`;

/** Most bytes that are taken at once. */
export function peakOf(buffers: readonly PlannedBuffer[]): number {
  let [now, peak] = [0, 0];
  for (const { bytes } of changes(buffers)) {
    now += bytes;
    peak = Math.max(peak, now);
  }
  return peak;
}

/** Takings (positive) and returns (negative) in the order of their happening. */
function changes(buffers: readonly PlannedBuffer[]): readonly { at: number; bytes: number }[] {
  return buffers
    .flatMap(({ bytes, from, to }) => [
      { at: from, bytes },
      { at: to + 0.5, bytes: -bytes },
    ])
    .toSorted((a, b) => a.at - b.at);
}

/** Sizes that GPU buffers are made in; larger ones are made to measure. @see onnxruntime 1.30, webgpu/buffer_manager.cc */
const BUCKETS = [
  64, 128, 256, 512, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_048_576,
  2_097_152, 4_194_304, 8_388_608, 12_582_912, 16_777_216, 26_214_400, 33_554_432, 44_236_800, 58_982_400,
  67_108_864, 134_217_728, 167_772_160,
];
/** Dispatches after which commands are submitted; buffers given back before that cannot be taken again earlier. */
const PER_SUBMISSION = 16;

/**
 * Bytes of GPU buffers made for a run: in sizes of buckets, kept for ever, handed on between submissions only.
 *
 * @param dispatches  per node, how many there were before it
 */
export function gpuBytes(buffers: readonly PlannedBuffer[], dispatches: (at: number) => number): number {
  const submission = (at: number): number => Math.floor(dispatches(Math.floor(at)) / PER_SUBMISSION);
  const idle = new Map<number, number>();
  let waiting: { size: number; since: number }[] = [];
  let total = 0;
  for (const { at, bytes } of changes(buffers)) {
    const wanted = Math.abs(bytes);
    const size = BUCKETS.find((bucket) => bucket >= wanted) ?? wanted;
    const now = at === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : submission(at);
    for (const { size: s, since } of waiting) if (since < now) idle.set(s, (idle.get(s) ?? 0) + 1);
    waiting = waiting.filter(({ since }) => since >= now);
    if (bytes < 0) waiting.push({ size, since: now });
    else if (idle.get(size)) idle.set(size, idle.get(size)! - 1);
    else total += size;
  }
  return total;
}
