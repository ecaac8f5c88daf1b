import type { BlobId, ImageRef } from '../document/document';
import { decodePam, encodePam } from '../formats/pam';
import type { Pixels } from '../util/pixels';
import type { BlobStore } from './blobs';

/** Stores a picture, pixel-exact. The reference is written only after the bytes are safe. @throws AppError STORAGE_FULL */
export async function putImage(store: BlobStore, pixels: Pixels, name: string): Promise<ImageRef> {
  const id = await store.put(encodePam(pixels));
  return { id, name, width: pixels.width, height: pixels.height };
}

/** @throws AppError BAD_FILE when the picture is not stored or damaged */
export async function getImage(
  store: BlobStore,
  id: BlobId,
): Promise<Pixels & { data: Uint8ClampedArray<ArrayBuffer> }> {
  return decodePam(await store.get(id));
}
