import { orAborted } from '../util/async';
import { AppError } from '../util/errors';
import { requestAdapter } from './adapter';

/** Used where present: fp16 storage and arithmetic, faster reductions, ORT's own profiling. */
const WANTED_FEATURES = ['shader-f16', 'subgroups', 'subgroup-size-control', 'timestamp-query'];

/** GPUBufferUsage and GPUMapMode.READ by value: the globals exist only where WebGPU does. */
const USAGE = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128 };
const MAP_READ = 1;

/** Host → GPU copies are staged by the browser: waiting between pieces keeps that staging small. */
const UPLOAD_CHUNK = 16 << 20;

/** WebGPU moves whole 16-byte words in ORT's kernels; a smaller binding is refused. */
export const padded = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

export interface DeviceOptions {
  readonly gpu?: GPU;
  /** false on drivers whose subgroup operations are broken; default true */
  readonly subgroups?: boolean;
}

/**
 * Our own GPUDevice, with everything the adapter offers. ORT's default device dies with its last session and takes all
 * buffers along, so every session is given this one.
 */
export class Device {
  readonly gpu: GPUDevice;
  /** aborts with DEVICE_LOST as its reason */
  readonly #gone = new AbortController();
  readonly #errors: GPUError[] = [];

  private constructor(gpu: GPUDevice) {
    this.gpu = gpu;
    void gpu.lost.then(({ reason, message }) => {
      this.#gone.abort(
        new AppError('DEVICE_LOST', `the GPU device was lost: ${message || reason}`, { reason }),
      );
    });
    gpu.addEventListener('uncapturederror', (event) => {
      event.preventDefault();
      this.#errors.push(event.error);
    });
  }

  /** @throws AppError NO_WEBGPU when there is no adapter or it refuses a device */
  static async open({
    gpu = globalThis.navigator?.gpu,
    subgroups = true,
  }: DeviceOptions = {}): Promise<Device> {
    const adapter = await requestAdapter(gpu);
    if (!adapter) throw new AppError('NO_WEBGPU', 'this browser offers no WebGPU adapter');
    const requiredFeatures = WANTED_FEATURES.filter(
      (feature) => adapter.features.has(feature) && (subgroups || !feature.startsWith('subgroup')),
    ) as GPUFeatureName[];
    const requiredLimits: Record<string, number> = {};
    for (const key in adapter.limits) {
      if (key.startsWith('max')) requiredLimits[key] = adapter.limits[key as 'maxBufferSize'];
    }
    try {
      return new Device(await adapter.requestDevice({ requiredFeatures, requiredLimits }));
    } catch (error) {
      throw new AppError('NO_WEBGPU', `the WebGPU adapter refused a device: ${(error as Error).message}`);
    }
  }

  /** @throws the first failure since the last check: DEVICE_LOST, OUT_OF_MEMORY, or GRAPH for a validation error */
  check(): void {
    this.#gone.signal.throwIfAborted();
    const [first] = this.#errors.splice(0);
    if (!first) return;
    const code = first instanceof GPUOutOfMemoryError ? 'OUT_OF_MEMORY' : 'GRAPH';
    throw new AppError(code, `the GPU refused a command: ${first.message}`);
  }

  /** What `work` gives, or a rejection with DEVICE_LOST as soon as the device is gone. */
  orLost<T>(work: Promise<T>): Promise<T> {
    return orAborted(work, this.#gone.signal);
  }

  /** A zeroed storage buffer of at least `bytes`. @throws AppError OUT_OF_MEMORY, DEVICE_LOST */
  async createBuffer(bytes: number, label: string): Promise<GPUBuffer> {
    this.check();
    const { maxBufferSize, maxStorageBufferBindingSize } = this.gpu.limits;
    const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (bytes > limit) {
      throw new AppError('OUT_OF_MEMORY', `${label} needs ${bytes} bytes; this GPU binds at most ${limit}`);
    }
    this.gpu.pushErrorScope('out-of-memory');
    const buffer = this.gpu.createBuffer({
      label,
      size: padded(bytes),
      usage: USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST,
    });
    const error = await this.gpu.popErrorScope();
    if (error) {
      buffer.destroy();
      throw new AppError('OUT_OF_MEMORY', `no GPU memory for ${label} (${bytes} bytes): ${error.message}`);
    }
    return buffer;
  }

  /** Copy host data to the start of a buffer. Ordered before all later commands. */
  async write(buffer: GPUBuffer, data: ArrayBufferView): Promise<void> {
    const { byteLength } = data;
    // writeBuffer wants multiples of 4 bytes; only arrays of 1- and 2-byte elements can end in between
    const whole = byteLength & ~3;
    for (let at = 0; at < whole; at += UPLOAD_CHUNK) {
      const size = Math.min(UPLOAD_CHUNK, whole - at);
      this.gpu.queue.writeBuffer(buffer, at, data.buffer as ArrayBuffer, data.byteOffset + at, size);
      if (whole > UPLOAD_CHUNK) await this.gpu.queue.onSubmittedWorkDone();
    }
    if (whole < byteLength) {
      const tail = new Uint8Array(4);
      tail.set(new Uint8Array(data.buffer, data.byteOffset + whole, byteLength - whole));
      this.gpu.queue.writeBuffer(buffer, whole, tail);
    }
  }

  /** Bytes of several buffers, in one round trip. @throws AppError DEVICE_LOST, or what the GPU refused */
  async read(
    sources: readonly { readonly buffer: GPUBuffer; readonly bytes: number }[],
  ): Promise<ArrayBuffer[]> {
    this.check();
    const offsets: number[] = [];
    let size = 0;
    for (const { bytes } of sources) {
      offsets.push(size);
      size += padded(bytes);
    }
    const usage = USAGE.MAP_READ | USAGE.COPY_DST;
    const staging = this.gpu.createBuffer({ label: 'read-back', size, usage });
    try {
      const encoder = this.gpu.createCommandEncoder();
      sources.forEach(({ buffer, bytes }, i) => {
        encoder.copyBufferToBuffer(buffer, 0, staging, offsets[i]!, padded(bytes));
      });
      this.gpu.queue.submit([encoder.finish()]);
      await this.orLost(staging.mapAsync(MAP_READ));
      this.check();
      const mapped = staging.getMappedRange();
      return sources.map(({ bytes }, i) => mapped.slice(offsets[i]!, offsets[i]! + bytes));
    } finally {
      staging.destroy();
    }
  }

  destroy(): void {
    this.gpu.destroy();
  }
}
