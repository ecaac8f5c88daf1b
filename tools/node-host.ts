import type { EngineHost } from '../src/engine/host';
import { loadOrtNode } from '../src/runtime/ort-node';
import { startBackend } from '../src/runtime/start';
import { memoryBlobs } from '../src/storage/blobs';
import { getImage, putImage } from '../src/storage/images';
import type { FileTree } from '../src/util/byte-source';

/**
 * The engine's host in Node: onnxruntime-node, checkpoint folders on disk, pictures in memory.
 *
 * @param openModel  the folder of a model by id
 */
export function nodeHost(openModel: (id: string) => Promise<FileTree>): EngineHost {
  const blobs = memoryBlobs();
  return {
    startBackend: () => startBackend({ load: loadOrtNode }),
    openModel,
    readImage: (id) => getImage(blobs, id),
    writeImage: (pixels, name) => putImage(blobs, pixels, name),
    readBytes: (id) => blobs.get(id),
    writeBytes: (bytes) => blobs.put(bytes),
    deleteBytes: (id) => blobs.delete(id),
  };
}
