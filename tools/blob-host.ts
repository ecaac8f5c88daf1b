import type { EngineHost } from '../src/engine/host';
import type { BlobStore } from '../src/storage/blobs';
import { getImage, putImage } from '../src/storage/images';

/** An engine's host that keeps everything in one store of blobs. */
export const blobHost = (
  blobs: BlobStore,
  start: Pick<EngineHost, 'startBackend' | 'openModel'>,
): EngineHost => ({
  ...start,
  readImage: (id) => getImage(blobs, id),
  writeImage: (pixels, name) => putImage(blobs, pixels, name),
  readBytes: (id) => blobs.get(id),
  writeBytes: (bytes) => blobs.put(bytes),
  deleteBytes: (id) => blobs.delete(id),
});
