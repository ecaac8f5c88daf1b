import type { BackendName } from '../../src/runtime/capabilities';
import { loadOrtWeb } from '../../src/runtime/ort-web';
import { startBackend } from '../../src/runtime/start';
import { memoryBlobs } from '../../src/storage/blobs';
import { httpTree } from '../../src/storage/http-tree';
import { blobHost } from '../blob-host';
import type { BrowserFunction } from '../harness/protocol';
import { type LearnInput, type LearnNews, type LearnOutput, runLearn } from './run';

/** null: cancel the run in progress */
type BrowserInput = {
  readonly learn: LearnInput;
  readonly backend: BackendName;
  /** GiB; null: the default */
  readonly gpuMemory?: number | null;
  /** address of the checkpoint's folder */
  readonly model: string;
} | null;

let abort = new AbortController();

/** Learning in a browser's worker on a chosen backend. */
export const run: BrowserFunction<BrowserInput, LearnNews, LearnOutput | null> = async (input, emit) => {
  if (!input) {
    abort.abort(new DOMException('cancelled', 'AbortError'));
    return null;
  }
  abort = new AbortController();
  const { learn, backend, gpuMemory, model } = input;
  const host = blobHost(memoryBlobs(), {
    startBackend: () =>
      startBackend({
        load: loadOrtWeb,
        force: backend,
        ...(gpuMemory && { gpuMemory: gpuMemory * 2 ** 30 }),
      }),
    openModel: async (id) => httpTree(new URL(model), id),
  });
  return runLearn(host, learn, emit, abort.signal);
};
