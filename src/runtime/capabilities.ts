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
