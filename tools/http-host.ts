import type { EngineHost } from '../src/engine/host';
import type { BackendName } from '../src/runtime/capabilities';
import { loadOrtWeb } from '../src/runtime/ort-web';
import { startBackend } from '../src/runtime/start';
import { memoryBlobs } from '../src/storage/blobs';
import { httpTree } from '../src/storage/http-tree';
import { blobHost } from './blob-host';

/** Where a command runs in the harness's browser. Plain data. */
export interface InBrowser {
  readonly backend: BackendName;
  /** GiB of the graphics card's memory to count on; null: the default */
  readonly gpuMemory?: number | null;
  /** address of the checkpoint's folder */
  readonly model: string;
}

/** The engine's host in a browser's worker: this backend or none, the one checkpoint by HTTP, all else in memory. */
export const httpHost = ({ backend, gpuMemory, model }: InBrowser): EngineHost =>
  blobHost(memoryBlobs(), {
    startBackend: () =>
      startBackend({
        load: loadOrtWeb,
        force: backend,
        ...(gpuMemory && { gpuMemory: gpuMemory * 2 ** 30 }),
      }),
    openModel: async (id) => httpTree(new URL(model), id),
  });
