import { type ImageType, inspectImage, MAX_PIXELS, named } from '../formats/inspect';
import { orient, readOrientation, turnsByExif, withoutExif } from '../formats/orientation';
import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';

/** Larger files are refused unread, bytes. */
export const MAX_FILE = 500_000_000;

/** What to do about a picture that this browser's decoders do not know. */
const ADVICE: Partial<Record<ImageType, string>> = {
  heic: 'this browser cannot open HEIC; convert it to JPEG first (an iPhone does so when "Most Compatible" is chosen under Settings, Camera, Formats)',
  tiff: 'this browser cannot open TIFF; convert it to PNG or JPEG first',
};

/** Reads a canvas's pixels: 8-bit sRGB, whatever depth and profile the picture came in. */
function readBack(bitmap: ImageBitmap): Pixels & { data: Uint8ClampedArray<ArrayBuffer> } {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new AppError('TOO_BIG', `this browser has no canvas of ${width} × ${height} px`);
  context.drawImage(bitmap, 0, 0);
  // Type only: a canvas's image data is never shared memory.
  const { data } = context.getImageData(0, 0, width, height) as ImageData & {
    data: Uint8ClampedArray<ArrayBuffer>;
  };
  return { data, width, height };
}

/**
 * Decodes a picture with the browser's decoders: first frame, upright, sRGB, without its metadata. Colours of
 * half-transparent pixels are rounded, as every canvas does; opaque pictures are exact.
 *
 * @throws AppError BAD_IMAGE, TOO_BIG, in words that name the file
 */
export async function decodeImage(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
): Promise<Pixels & { data: Uint8ClampedArray<ArrayBuffer> }> {
  const { type } = inspectImage(bytes, name);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob(withoutExif(bytes, type), { type: `image/${type}` }));
  } catch {
    throw new AppError('BAD_IMAGE', `${name}: ${ADVICE[type] ?? 'the picture is damaged'}`, { type });
  }
  try {
    if (bitmap.width * bitmap.height > MAX_PIXELS) {
      throw new AppError('TOO_BIG', `${bitmap.width} × ${bitmap.height} px is too many`);
    }
    const pixels = readBack(bitmap);
    return turnsByExif(type) ? orient(pixels, readOrientation(bytes)) : pixels;
  } catch (error) {
    throw named(error, name);
  } finally {
    bitmap.close();
  }
}
