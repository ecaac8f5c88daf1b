import { loadOrtWeb } from '../runtime/ort-web';
import { startBackend } from '../runtime/start';
import { opfsBlobs } from '../storage/blobs';
import { getImage, putImage } from '../storage/images';
import { openModel } from '../storage/models';
import type { EngineHost } from './host';

/** The engine's host in a browser's worker: ONNX Runtime Web, models over HTTP or from storage, pictures in storage. */
export function browserHost(): EngineHost {
  // workers/ while developing and assets/ when built both lie one folder below the page
  const siteRoot = new URL('..', globalThis.location.href).href;
  const blobs = opfsBlobs();
  return {
    startBackend: ({ backend: force, gpuMemory } = {}) =>
      startBackend({ load: loadOrtWeb, ...(force && { force }), ...(gpuMemory && { gpuMemory }) }),
    openModel: (id) => openModel(id, siteRoot),
    readImage: (id) => getImage(blobs, id),
    writeImage: (pixels, name) => putImage(blobs, pixels, name),
    readBytes: (id) => blobs.get(id),
    writeBytes: (bytes) => blobs.put(bytes),
    deleteBytes: (id) => blobs.delete(id),
  };
}
