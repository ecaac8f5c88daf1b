import { AppError } from '../util/errors';
import { jpegSize, readSegments } from './jpeg';
import { PNG_SIGNATURE, readChunks } from './png';
import { readRiff, webpSize } from './webp';

export type ImageType = 'jpeg' | 'png' | 'webp' | 'gif' | 'bmp' | 'avif' | 'heic' | 'tiff';

export interface ImageInfo {
  readonly type: ImageType;
  /** px, before orientation; null where only a decoder can tell */
  readonly width: number | null;
  readonly height: number | null;
}

/** More than this is refused before decoding, pixels: 400 MB of RGBA. */
export const MAX_PIXELS = 100_000_000;

const latin1 = (bytes: Uint8Array, begin: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(begin, end));
const bad = (message: string): AppError => new AppError('BAD_IMAGE', message);

/** Brands of ISO base media files that hold a still picture. */
function isoType(bytes: Uint8Array): ImageType | null {
  if (latin1(bytes, 4, 8) !== 'ftyp') return null;
  const brands = latin1(bytes, 8, Math.min(64, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)));
  if (/avif|avis/.test(brands)) return 'avif';
  return /heic|heix|heim|heis|hevc|hevx|mif1|msf1/.test(brands) ? 'heic' : null;
}

/** Says what bytes are by their first ones, whatever the file is called. */
function sniff(bytes: Uint8Array): ImageType {
  const head = latin1(bytes, 0, 16);
  if (bytes.length === 0) throw bad('the file is empty (0 bytes)');
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (PNG_SIGNATURE.every((value, i) => bytes[i] === value)) return 'png';
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP') return 'webp';
  if (/^GIF8[79]a/.test(head)) return 'gif';
  if (/^(II\*\0|MM\0\*)/.test(head)) return 'tiff';
  if (head.startsWith('BM') && bytes.length > 54) return 'bmp';
  const iso = bytes.length > 16 ? isoType(bytes) : null;
  if (iso) return iso;

  const text = latin1(bytes, 0, 512).trimStart().toLowerCase();
  if (text.startsWith('version https://git-lfs')) {
    throw bad('this is a Git LFS pointer, not the picture itself');
  }
  if (/^(<!doctype html|<html|<head|<body)/.test(text)) throw bad('this is a web page, not a picture');
  if (/^<(\?xml|!--|!doctype svg|svg)/.test(text) && text.includes('<svg')) {
    throw bad('this is an SVG drawing; save it as PNG first');
  }
  throw bad('this is not a picture in a known format (JPEG, PNG, WebP, GIF, AVIF)');
}

/** Size from the first frame of a GIF, which must be complete. @see GIF89a specification, W3C */
function gifSize(bytes: Uint8Array): { width: number; height: number } {
  const cut = bad('the GIF is cut short');
  const u16 = (at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
  const table = (flags: number): number => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const skipBlocks = (from: number): number => {
    let at = from;
    while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]!;
    if (at >= bytes.length) throw cut;
    return at + 1;
  };
  let at = 13 + table(bytes[10] ?? 0);
  while (bytes[at] === 0x21) at = skipBlocks(at + 2);
  if (bytes[at] !== 0x2c || at + 10 >= bytes.length) throw cut;
  skipBlocks(at + 10 + table(bytes[at + 9]!) + 1);
  return { width: Math.max(u16(6), u16(at + 5)), height: Math.max(u16(8), u16(at + 7)) };
}

/** Largest picture that an AVIF or HEIC file declares ('ispe' properties); the boxes must fit the file. */
function isoSize(bytes: Uint8Array): { width: number; height: number } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let width = 0;
  let height = 0;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at);
    const left = bytes.length - at;
    if (size === 1 && left < 16) throw bad('the picture is cut short');
    // 0: to the end of the file; 1: 64-bit size follows (upper half must be 0 here)
    const length = size === 0 ? left : size === 1 ? view.getUint32(at + 12) : size;
    if (length < 8 || length > left) throw bad('the picture is cut short');
    if (latin1(bytes, at + 4, at + 8) === 'meta') {
      for (let i = at + 8; i + 16 <= at + length; i++) {
        if (bytes[i] !== 0x69 || latin1(bytes, i, i + 4) !== 'ispe') continue;
        width = Math.max(width, view.getUint32(i + 8));
        height = Math.max(height, view.getUint32(i + 12));
      }
    }
    at += length;
  }
  return width > 0 ? { width, height } : null;
}

function size(type: ImageType, bytes: Uint8Array<ArrayBuffer>): { width: number; height: number } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type) {
    case 'jpeg':
      return jpegSize(readSegments(bytes));
    case 'png': {
      const chunks = readChunks(bytes);
      const [header] = chunks;
      if (header?.type !== 'IHDR' || header.data.length < 8) throw bad('the PNG has no header');
      if (!chunks.some(({ type }) => type === 'IDAT')) throw bad('the PNG holds no picture');
      return { width: view.getUint32(16), height: view.getUint32(20) };
    }
    case 'webp':
      return webpSize(readRiff(bytes));
    case 'gif':
      return gifSize(bytes);
    case 'bmp':
      if (view.getUint32(2, true) > bytes.length) throw bad('the BMP is cut short');
      return { width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) };
    case 'avif':
    case 'heic':
      return isoSize(bytes);
    case 'tiff':
      return null;
  }
}

/**
 * What a file is and how large its picture, from its bytes alone and without decoding: the first gate for anything
 * that was dropped or named on a command line.
 *
 * @param name for messages
 * @throws AppError BAD_IMAGE when it is no picture or cut short; TOO_BIG above MAX_PIXELS
 */
export function inspectImage(bytes: Uint8Array<ArrayBuffer>, name: string): ImageInfo {
  try {
    const type = sniff(bytes);
    const found = size(type, bytes);
    if (found && (found.width === 0 || found.height === 0)) throw bad('it has no pixels');
    if (!found && type !== 'tiff') throw bad('it holds no picture');
    if (found && found.width * found.height > MAX_PIXELS) {
      throw new AppError(
        'TOO_BIG',
        `${found.width} × ${found.height} px is more than ${MAX_PIXELS / 1e6} megapixels`,
        { ...found },
      );
    }
    return { type, width: found?.width ?? null, height: found?.height ?? null };
  } catch (error) {
    throw named(error, name);
  }
}

/** The same error, naming the file it is about. */
export function named(error: unknown, name: string): unknown {
  if (!(error instanceof AppError) || error.message.startsWith(`${name}: `)) return error;
  return new AppError(error.code, `${name}: ${error.message}`, error.details);
}
