import ExifReader from 'exifreader';
import type { Pixels } from '../util/pixels';
import type { ImageType } from './inspect';
import * as jpeg from './jpeg';
import { PNG_SIGNATURE } from './png';
import * as webp from './webp';

/** EXIF orientation, 1 … 8: how to turn stored pixels so that up is up. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

function readExif(bytes: Uint8Array<ArrayBuffer>): ExifReader.ExpandedTags | null {
  try {
    return ExifReader.loadView(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
      expanded: true,
    });
  } catch {
    // No metadata, or damaged metadata, is no reason to refuse a picture.
    return null;
  }
}

/** Whether the file carries camera data. */
export function hasExif(bytes: Uint8Array<ArrayBuffer>): boolean {
  const tags = readExif(bytes);
  return tags?.exif !== undefined || tags?.gps !== undefined;
}

/** 1 (as stored) when the file says nothing sensible. */
export function readOrientation(bytes: Uint8Array<ArrayBuffer>): Orientation {
  const value = Number(readExif(bytes)?.exif?.Orientation?.value);
  return [1, 2, 3, 4, 5, 6, 7, 8].includes(value) ? (value as Orientation) : 1;
}

/**
 * The file without EXIF, as parts of a Blob. Decoders disagree on which formats' orientation they apply; none turns
 * what this returns, so `orient` does it once, alike everywhere. (AVIF and HEIC turn by other means, always applied.)
 */
export function withoutExif(bytes: Uint8Array<ArrayBuffer>, type: ImageType): Uint8Array<ArrayBuffer>[] {
  if (type === 'jpeg') return jpeg.withoutExif(bytes);
  if (type === 'webp') return webp.withoutExif(bytes);
  return type === 'png' ? withoutPngExif(bytes) : [bytes];
}

function withoutPngExif(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let from = 0;
  for (let at = PNG_SIGNATURE.length; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at);
    if (view.getUint32(at + 4) === 0x65584966) {
      // 'eXIf'
      parts.push(bytes.subarray(from, at));
      from = end;
    }
    at = end;
  }
  return [...parts, bytes.subarray(from)];
}

/** Whether the file's EXIF decides how its pixels are turned (else the decoder has done it). */
export const turnsByExif = (type: ImageType): boolean =>
  type === 'jpeg' || type === 'png' || type === 'webp' || type === 'tiff';

/**
 * Turns and mirrors pixels as the EXIF orientation asks.
 *
 * @see CIPA DC-008 (Exif 2.32), tag 0x0112: n says where the first stored row and column lie in the upright picture
 */
export function orient<P extends Pixels>(pixels: P, orientation: Orientation) {
  if (orientation === 1) return pixels;
  const { width: w, height: h } = pixels;
  const from = new Uint32Array(pixels.data.buffer, pixels.data.byteOffset, w * h);
  const turned = orientation >= 5;
  const [width, height] = turned ? [h, w] : [w, h];
  const data = new Uint8ClampedArray(4 * w * h);
  const to = new Uint32Array(data.buffer);
  const flipColumns = [2, 3, 7, 8].includes(orientation);
  const flipRows = [3, 4, 6, 7].includes(orientation);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // (u, v): column and row of the stored pixel
      const [u, v] = turned ? [y, x] : [x, y];
      to[y * width + x] = from[(flipRows ? h - 1 - v : v) * w + (flipColumns ? w - 1 - u : u)]!;
    }
  }
  return { data, width, height };
}
