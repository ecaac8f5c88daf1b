import { AppError } from '../util/errors';
import type { OrtLoader } from './ort';

/**
 * onnxruntime-web in the smallest build that can run the backend. Always a dynamic import: ORT starts its threads from
 * the chunk it lives in, so that chunk must hold nothing of ours (a static import breaks threads in production builds).
 * Never the default import: that is the legacy JSEP build, whose Slice with step -1 is wrong.
 *
 * @throws AppError BAD_REQUEST for the Node backend
 */
export const loadOrtWeb: OrtLoader = async (backend, { threads, logLevel }) => {
  if (backend === 'node') throw new AppError('BAD_REQUEST', 'a browser cannot run the node backend');
  const ort = await importBuild(backend);
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.proxy = false;
  ort.env.logLevel = logLevel;
  return ort;
};

/** Plain WASM 14 MB; WebGPU with JSPI 17 MB, without (Asyncify) 27 MB and slower to call. */
function importBuild(backend: 'webgpu' | 'wasm') {
  if (backend === 'wasm') return import('onnxruntime-web/wasm');
  return 'Suspending' in WebAssembly ? import('onnxruntime-web/jspi') : import('onnxruntime-web/webgpu');
}
