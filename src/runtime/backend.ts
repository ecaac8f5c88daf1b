import type { InferenceSession } from 'onnxruntime-common';
import { mutex } from '../util/async';
import { type BackendName, usableThreads } from './capabilities';
import { Device } from './device';
import { MemoryMeter } from './memory';
import type { LogLevel, Ort, OrtLoader } from './ort';

/** How WebGPU kernels lay out images inside: NHWC is ORT's choice; some drivers compute it wrongly. */
export type Layout = 'NHWC' | 'NCHW';

export interface BackendOptions {
  readonly load: OrtLoader;
  /** CPU threads; default: all cores, but 1 in a page that is not cross-origin isolated */
  readonly threads?: number;
  /** WebGPU only; default NHWC */
  readonly layout?: Layout;
  /** WebGPU only: false where the driver's subgroup operations are broken; default true */
  readonly subgroups?: boolean;
  /** WebGPU only: bytes of the GPU's memory to count on; a browser does not tell how much there is. Default 4 GiB */
  readonly gpuMemory?: number;
  /** what ORT itself prints; default 'error' */
  readonly logLevel?: LogLevel;
}

/** One ONNX Runtime and, on WebGPU, one device: everything that shares weights lives on one backend, in one thread. */
export interface Backend {
  readonly name: BackendName;
  readonly ort: Ort;
  /** null but on WebGPU */
  readonly device: Device | null;
  readonly threads: number;
  readonly layout: Layout;
  readonly memory: MemoryMeter;
  /** bytes that everything on it together may take: no job that needs more is begun */
  readonly allowance: number;
  /** Calls into ORT must not overlap (create, run, release; any session): every one goes through here. */
  readonly exclusive: ReturnType<typeof mutex>;
  /** Fulfils whatever sessions need on this backend. */
  readonly sessionOptions: InferenceSession.SessionOptions;
  /** Destroys the device; programs and stores on it are unusable from here on. Dispose those first. */
  dispose(): void;
}

/** Overlapping calls corrupt a whole ORT instance, so its mutex outlives the backends opened on it. */
const mutexes = new WeakMap<Ort['InferenceSession'], ReturnType<typeof mutex>>();

/**
 * Load ONNX Runtime and, for 'webgpu', open a device.
 *
 * @throws AppError NO_WEBGPU, or BAD_REQUEST when this environment cannot run `name`
 */
export async function openBackend(name: BackendName, options: BackendOptions): Promise<Backend> {
  const { layout = 'NHWC', logLevel = 'error', threads = usableThreads() } = options;
  const ort = await options.load(name, { threads, logLevel });
  const device = name === 'webgpu' ? await Device.open({ subgroups: options.subgroups ?? true }) : null;
  const exclusive = mutexes.get(ort.InferenceSession) ?? mutex();
  mutexes.set(ort.InferenceSession, exclusive);
  return {
    name,
    ort,
    device,
    threads,
    layout,
    memory: new MemoryMeter(),
    allowance: { webgpu: options.gpuMemory ?? 4 * GIB, wasm: 3 * GIB, node: 16 * GIB }[name],
    exclusive,
    sessionOptions: {
      executionProviders: [provider(name, device, layout)],
      logSeverityLevel: SEVERITY[logLevel],
      graphOptimizationLevel: 'all',
      // a memory pattern is a second block of all activations beside what the first run took, which is never given back
      ...(name !== 'webgpu' && { enableMemPattern: false }),
      ...(name === 'node' && { intraOpNumThreads: threads, interOpNumThreads: 1 }),
    },
    dispose: () => device?.destroy(),
  };
}

/** WASM addresses 4 of them. */
const GIB = 2 ** 30;

const SEVERITY = { verbose: 0, info: 1, warning: 2, error: 3, fatal: 4 } as const;

function provider(
  name: BackendName,
  device: Device | null,
  preferredLayout: Layout,
): InferenceSession.ExecutionProviderConfig {
  if (name === 'node') return 'cpu';
  if (name === 'wasm') return 'wasm';
  return { name: 'webgpu', device: device!.gpu, preferredLayout };
}
