import type { BlobId, ImageRef, Take } from '../document/document';
import { files } from './workers';

/** Decoded pictures kept for the screen; the memory of one that is dropped goes with its last user. */
const kept = 32;
const bitmaps = new Map<string, Promise<ImageBitmap>>();

function remembered(key: string, load: () => Promise<ImageBitmap>): Promise<ImageBitmap> {
  const found = bitmaps.get(key) ?? load();
  // latest used last; a failed one is forgotten, so that the next use tries again
  bitmaps.delete(key);
  bitmaps.set(key, found);
  found.catch(() => bitmaps.delete(key));
  if (bitmaps.size > kept) bitmaps.delete(bitmaps.keys().next().value!);
  return found;
}

/** A stored picture, no side longer than `maxSide` px. */
export const picture = (id: BlobId, maxSide = 1024): Promise<ImageBitmap> =>
  remembered(`${id} ${maxSide}`, () => files.api.bitmap(id, maxSide));

/** The edited square of a take as it is in the exported photo, stitched. */
export const stitchedSquare = (take: Take): Promise<ImageBitmap> =>
  remembered(`take ${take.id}`, () => files.api.stitchedSquare(take, 1024));

/** Store a painted mask of the whole photo, at the resolution it was painted at. */
export const importMask = (png: Blob): Promise<ImageRef> => files.api.importMask(png);
