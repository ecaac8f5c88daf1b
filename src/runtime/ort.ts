import type { BackendName } from './capabilities';

/** The part of ONNX Runtime's API that we use; the same in onnxruntime-web and onnxruntime-node. */
export type Ort = Pick<typeof import('onnxruntime-common'), 'InferenceSession' | 'Tensor' | 'env'>;

export type LogLevel = 'verbose' | 'info' | 'warning' | 'error' | 'fatal';

/** Brings in the concrete runtime for a backend: `loadOrtNode` in Node, `loadOrtWeb` in a browser. */
export type OrtLoader = (
  backend: BackendName,
  options: { readonly threads: number; readonly logLevel: LogLevel },
) => Promise<Ort>;
