import { requestAdapter } from './adapter';

/** Where networks can run. 'node' is onnxruntime-node's CPU provider. */
export type BackendName = 'webgpu' | 'wasm' | 'node';

/** What this machine and browser can do, as plain data. Sizes in bytes. */
export interface Capabilities {
  readonly backends: readonly BackendName[];
  /** the one a start-up self-test chose */
  readonly backend: BackendName;
  /** WASM threads in use; 1 when the page is not cross-origin isolated */
  readonly threads: number;
  readonly crossOriginIsolated: boolean;
  readonly jspi: boolean;
  readonly adapter: {
    readonly vendor: string;
    readonly architecture: string;
    readonly software: boolean;
    readonly shaderF16: boolean;
    readonly maxBufferSize: number;
    readonly maxStorageBufferBindingSize: number;
    readonly maxStorageBuffersPerShaderStage: number;
  } | null;
  /** origin storage quota and use; null where unknown */
  readonly storage: { readonly quota: number; readonly used: number } | null;
  readonly saveFilePicker: boolean;
  /** why a better backend was not chosen, in words; empty when the best one runs */
  readonly notes: readonly string[];
}

/** The globals that are asked; `globalThis` in a page or worker and in Node. */
export interface Environment {
  readonly navigator?: {
    readonly gpu?: GPU;
    readonly hardwareConcurrency?: number;
    readonly storage?: Pick<StorageManager, 'estimate'>;
  };
  readonly crossOriginIsolated?: boolean;
  readonly showSaveFilePicker?: unknown;
  readonly process?: Pick<typeof process, 'versions' | 'getBuiltinModule'>;
}

/** CPU threads that ORT may use: all cores, but one in a page that is not cross-origin isolated (no shared memory). */
export function usableThreads(env: Environment = globalThis): number {
  if (inNode(env)) return env.process?.getBuiltinModule('os').availableParallelism() ?? 1;
  return env.crossOriginIsolated ? (env.navigator?.hardwareConcurrency ?? 1) : 1;
}

const inNode = (env: Environment): boolean => env.process?.versions.node !== undefined;

/**
 * Ask what there is, computing nothing: the only place that does. `backend` is the best guess; `startBackend` tests it.
 */
export async function probeCapabilities(env: Environment = globalThis): Promise<Capabilities> {
  const node = inNode(env);
  const adapter = node ? null : await probeAdapter(env.navigator?.gpu);
  const crossOriginIsolated = env.crossOriginIsolated ?? false;
  const notes: string[] = [];
  if (!node && !adapter) notes.push('This browser offers no WebGPU adapter.');
  if (adapter?.software) notes.push(`The WebGPU adapter (${adapter.architecture}) computes on the CPU.`);
  if (!node && !crossOriginIsolated) notes.push('The page is not cross-origin isolated: one CPU thread.');
  return {
    backends: node ? ['node'] : adapter ? ['webgpu', 'wasm'] : ['wasm'],
    backend: node ? 'node' : adapter && !adapter.software ? 'webgpu' : 'wasm',
    threads: usableThreads(env),
    crossOriginIsolated,
    jspi: 'Suspending' in WebAssembly,
    adapter,
    storage: await probeStorage(env.navigator?.storage),
    saveFilePicker: env.showSaveFilePicker !== undefined,
    notes,
  };
}

async function probeAdapter(gpu: GPU | undefined): Promise<Capabilities['adapter']> {
  const adapter = await requestAdapter(gpu);
  if (!adapter) return null;
  const { info, features, limits } = adapter;
  const { vendor, architecture, description } = info;
  return {
    vendor,
    architecture,
    software:
      info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${architecture} ${description}`),
    shaderF16: features.has('shader-f16'),
    maxBufferSize: limits.maxBufferSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
  };
}

async function probeStorage(storage: Pick<StorageManager, 'estimate'> | undefined) {
  const estimate = await storage?.estimate().catch(() => null);
  return estimate ? { quota: estimate.quota ?? 0, used: estimate.usage ?? 0 } : null;
}
