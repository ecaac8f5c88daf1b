import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { encode } from '../onnx/encode';
import type { Graph, Value } from '../onnx/graph';
import { AppError } from '../util/errors';
import { createLogger } from '../util/log';
import { refusedByGpu } from './placement';
import { byteSize } from './tensor';
import type { WeightStore } from './weights';
import type { Derived } from './winograd';

const log = createLogger('runtime');

/** ORT tensors by graph name. */
export type OrtTensors = Readonly<Record<string, Tensor>>;

export interface SessionSpec {
  readonly graph: Graph;
  readonly outputs: readonly Value[];
  readonly weights: WeightStore;
  /** constants of the session: weights, or what is derived from them */
  readonly baked: readonly Value[];
  readonly derived: ReadonlyMap<string, Derived>;
  /** WebGPU: record the first run and replay it */
  readonly capture: boolean;
  readonly label: string;
}

/** How long to wait for a call that a lost device left hanging before other sessions may use ORT, ms. */
const HANGING = 2000;

/** One ORT session that survives ORT's ways to fail. Every method must be called inside the backend's mutex. */
export class OrtSession {
  readonly #spec: SessionSpec;
  readonly #bakedBytes: number;
  #session: InferenceSession | null = null;
  /** inputs that a recorded run replays with */
  #captured: OrtTensors | null = null;
  /** what it writes */
  #recorded: OrtTensors | null = null;

  constructor(spec: SessionSpec) {
    this.#spec = spec;
    this.#bakedBytes = spec.baked.reduce((sum, value) => sum + byteSize(value), 0);
  }

  /** @throws AppError GRAPH naming the ops without a WebGPU kernel, or with ORT's words; OUT_OF_MEMORY; DEVICE_LOST */
  async open(): Promise<InferenceSession> {
    const { graph, outputs, weights, baked, derived, capture, label } = this.#spec;
    const { ort, sessionOptions, device, memory } = weights.backend;
    device?.check();
    const started = performance.now();
    const external = new Set(baked.map(({ name }) => name));
    const model = encode(graph, outputs, { external: (name) => external.has(name), leavesLast: true });
    const kept: string[] = [];
    try {
      const externalData = await Promise.all(
        baked.map(async ({ name }) => {
          const { from, convert } = derived.get(name) ?? { from: name };
          const data = await weights.bake(from);
          kept.push(from);
          return { path: name, data: convert ? convert(data) : data };
        }),
      );
      this.#session = await ort.InferenceSession.create(model, {
        ...sessionOptions,
        ...(externalData.length && { externalData }),
        ...(device && {
          preferredOutputLocation: 'gpu-buffer' as const,
          enableGraphCapture: capture,
          // a node without a GPU kernel would run on the CPU, with copies there and back
          extra: { session: { disable_cpu_ep_fallback: '1' } },
        }),
      });
    } catch (error) {
      for (const name of kept) weights.unbake(name);
      if (/fallback to CPU EP has been explicitly disabled/.test(String(error))) {
        const ops = await refusedByGpu(weights.backend, graph, outputs);
        throw new AppError('GRAPH', `${label}: WebGPU has no kernel for ${ops.join(', ')}`, { ops });
      }
      throw described(error, label);
    }
    memory.add('sessions', 1);
    memory.add('baked', this.#bakedBytes);
    log.debug(`${label}: session created in ${Math.round(performance.now() - started)} ms`);
    return this.#session;
  }

  /**
   * Run once. After a failure the session is replaced: ORT would repeat the old error for ever.
   *
   * @param targets  WebGPU: where results go, by graph name; ignored on CPU backends and when runs are recorded
   * @returns        results by graph name; on WebGPU they are in the targets, or in tensors that a recording writes in
   *                 every run: the session's own, the same ones until it is replaced
   */
  async call(inputs: OrtTensors, targets: OrtTensors): Promise<OrtTensors> {
    const { outputs, capture, weights, label } = this.#spec;
    const { device } = weights.backend;
    device?.check();
    const session = this.#session ?? (await this.open());
    if (device) this.#checkBindings(inputs, targets);
    const names = outputs.map(({ name }) => name);
    const running = session.run(inputs, device && !capture ? targets : names);
    try {
      const results = await (device ? device.orLost(running) : running);
      if (device && capture) {
        // The recorded commands write the buffers of the run that recorded them (buffers given to them are forgotten).
        // Those must stay taken: once disposed of, ORT hands them out for other results.
        if (this.#recorded) for (const name of names) results[name]!.dispose();
        this.#recorded ??= results;
        device.check();
        return this.#recorded;
      }
      device?.check();
      return results;
    } catch (error) {
      await Promise.race([running.catch(() => {}), new Promise((resolve) => setTimeout(resolve, HANGING))]);
      await this.release().catch((failure) => log.warn(`${label}: release failed`, failure));
      throw described(error, label);
    }
  }

  async release(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const { weights, baked, derived } = this.#spec;
    this.#session = null;
    this.#captured = null;
    for (const tensor of Object.values(this.#recorded ?? {})) tensor.dispose();
    this.#recorded = null;
    for (const { name } of baked) weights.unbake(derived.get(name)?.from ?? name);
    weights.backend.memory.add('sessions', -1);
    weights.backend.memory.add('baked', -this.#bakedBytes);
    await session.release();
  }

  /** ORT would fail late when a buffer is read and written at once, and replay a capture with stale buffers in silence. */
  #checkBindings(inputs: OrtTensors, targets: OrtTensors): void {
    const { capture, label } = this.#spec;
    const written = new Map(Object.entries(targets).map(([name, { gpuBuffer }]) => [gpuBuffer, name]));
    if (capture) this.#captured ??= inputs;
    for (const [name, { gpuBuffer }] of Object.entries(inputs)) {
      const output = written.get(gpuBuffer);
      if (output) {
        throw new AppError('GRAPH', `${label} cannot read ${name} and write ${output} in one buffer`, {
          name,
        });
      }
      if (this.#captured && this.#captured[name]?.gpuBuffer !== gpuBuffer) {
        throw new AppError('GRAPH', `${label} was captured with another buffer for ${name}`, { name });
      }
    }
  }
}

function described(error: unknown, label: string): AppError {
  if (error instanceof AppError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const memory = /out of memory|bad_alloc|failed to allocate|allocation failed|Aborted\(/i.test(message);
  return new AppError(memory ? 'OUT_OF_MEMORY' : 'GRAPH', `${label}: ${message}`);
}
