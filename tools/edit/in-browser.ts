import type { BackendName } from '../../src/runtime/capabilities';
import { loadOrtWeb } from '../../src/runtime/ort-web';
import { startBackend } from '../../src/runtime/start';
import { memoryBlobs } from '../../src/storage/blobs';
import { httpTree } from '../../src/storage/http-tree';
import { blobHost } from '../blob-host';
import type { BrowserFunction } from '../harness/protocol';
import { type EditInput, type EditNews, type EditOutput, runEdit } from './run';

interface BrowserInput {
  readonly edit: EditInput;
  readonly backend: BackendName;
  /** GiB; null: the default */
  readonly gpuMemory?: number | null;
  /** address of the checkpoint's folder */
  readonly model: string;
}

/** An edit in a browser's worker on a chosen backend. */
export const run: BrowserFunction<BrowserInput, EditNews, EditOutput> = async (
  { edit, backend, gpuMemory, model },
  emit,
) => {
  const host = blobHost(memoryBlobs(), {
    startBackend: () =>
      startBackend({
        load: loadOrtWeb,
        force: backend,
        ...(gpuMemory && { gpuMemory: gpuMemory * 2 ** 30 }),
      }),
    openModel: async (id) => httpTree(new URL(model), id),
  });
  return runEdit(host, edit, emit);
};
