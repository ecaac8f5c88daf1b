import type { EngineHost } from '../src/engine/host';
import { loadOrtNode } from '../src/runtime/ort-node';
import { startBackend } from '../src/runtime/start';
import { memoryBlobs } from '../src/storage/blobs';
import type { FileTree } from '../src/util/byte-source';
import { blobHost } from './blob-host';

/**
 * The engine's host in Node: onnxruntime-node, checkpoint folders on disk, pictures in memory.
 *
 * @param openModel  the folder of a model by id
 * @param threads    default: as many as the runtime likes
 */
export const nodeHost = (openModel: (id: string) => Promise<FileTree>, threads?: number): EngineHost =>
  blobHost(memoryBlobs(), {
    startBackend: () => startBackend({ load: loadOrtNode, ...(threads && { threads }) }),
    openModel,
  });
