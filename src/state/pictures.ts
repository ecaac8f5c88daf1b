import type { BlobId, ImageRef, Square, Take } from '../document/document';
import type { Pixels } from '../util/pixels';
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

/** Longest side at which the photo is drawn, px: sharp on any screen, and far below every browser's canvas limit. */
export const maxPhotoSide = 4096;

/** A square of a stored photo, `side` × `side` px. */
export async function photoSquare(
  photo: { readonly id: BlobId; readonly width: number },
  square: Square,
  side: number,
): Promise<Pixels> {
  const bitmap = await picture(photo.id, maxPhotoSide);
  const scale = bitmap.width / photo.width;
  const context = new OffscreenCanvas(side, side).getContext('2d', { willReadFrequently: true })!;
  const [x, y, size] = [square.x * scale, square.y * scale, square.size * scale];
  context.drawImage(bitmap, x, y, size, size, 0, 0, side, side);
  return context.getImageData(0, 0, side, side);
}

/** Store a painted mask of the whole photo, at the resolution it was painted at. */
export const importMask = (png: Blob): Promise<ImageRef> => files.api.importMask(png);
