import { Zlib } from 'fflate';
import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';

/** @see W3C, "Portable Network Graphics (PNG) Specification (Third Edition)" */
export interface PngChunk {
  /** four letters */
  readonly type: string;
  readonly data: Uint8Array;
}

export const PNG_SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});
function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = CRC_TABLE[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** With its length before and its CRC behind. */
export function encodeChunk({ type, data }: PngChunk): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

const damaged = (what: string): AppError => new AppError('BAD_IMAGE', `the PNG is damaged: ${what}`);

/**
 * The chunks of a PNG, as views, up to and with IEND. Lengths are checked against the file before anything is read
 * and every CRC is verified; nothing is decompressed.
 *
 * @throws AppError BAD_IMAGE when the file is cut short or damaged
 */
export function readChunks(bytes: Uint8Array): PngChunk[] {
  if (PNG_SIGNATURE.some((value, i) => bytes[i] !== value)) throw damaged('no signature');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: PngChunk[] = [];
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw damaged('it is cut short');
    const length = view.getUint32(at);
    if (length > bytes.length - at - 12) throw damaged('it is cut short');
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) {
      throw damaged(`a checksum is wrong at byte ${at}`);
    }
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ type, data: bytes.subarray(at + 8, at + 8 + length) });
    if (type === 'IEND') return chunks;
    at += 12 + length;
  }
}

/** Text as PNG readers expect it: tEXt where Latin-1 suffices, else (or when `international`) uncompressed iTXt. */
export function textChunk(keyword: string, text: string, international = false): PngChunk {
  const encoder = new TextEncoder();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL ends the text in tEXt
  if (!international && /^[\x01-\xff]*$/.test(text)) {
    const data = Uint8Array.from(`${keyword}\0${text}`, (c) => c.charCodeAt(0));
    return { type: 'tEXt', data };
  }
  // keyword, NUL, not compressed, method 0, no language, no translated keyword
  return { type: 'iTXt', data: encoder.encode(`${keyword}\0\0\0\0\0${text}`) };
}

/** The text of the first uncompressed iTXt chunk with this keyword, in at most `limit` bytes; null when there is none. */
export function findText(chunks: readonly PngChunk[], keyword: string, limit: number): string | null {
  const head = new TextEncoder().encode(`${keyword}\0\0\0`);
  for (const { type, data } of chunks) {
    if (type !== 'iTXt' || !head.every((value, i) => data[i] === value)) continue;
    const language = data.indexOf(0, head.length);
    const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
    if (translated < 0 || data.length - translated - 1 > limit) return null;
    return new TextDecoder().decode(data.subarray(translated + 1));
  }
  return null;
}

/** Rows compressed at a time: bounds memory without making chunks tiny. */
const BATCH = 64;

/** Writes one filtered row: the filter byte and `row` predicted from its left, upper and upper-left neighbours. */
type Filter = (row: Uint8Array, above: Uint8Array, bpp: number, out: Uint8Array) => void;
const sub: Filter = (row, _above, bpp, out) => {
  out[0] = 1;
  for (let i = 0; i < row.length; i++) out[i + 1] = row[i]! - (i < bpp ? 0 : row[i - bpp]!);
};
const up: Filter = (row, above, _bpp, out) => {
  out[0] = 2;
  for (let i = 0; i < row.length; i++) out[i + 1] = row[i]! - above[i]!;
};
const paeth: Filter = (row, above, bpp, out) => {
  out[0] = 4;
  for (let i = 0; i < row.length; i++) {
    const a = i < bpp ? 0 : row[i - bpp]!;
    const b = above[i]!;
    const c = i < bpp ? 0 : above[i - bpp]!;
    const pa = Math.abs(b - c);
    const pb = Math.abs(a - c);
    const pc = Math.abs(a + b - 2 * c);
    out[i + 1] = row[i]! - (pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
  }
};
const FILTERS: readonly Filter[] = [sub, up, paeth];

/** The usual estimate of how well a filtered row compresses: the sum of its bytes as signed numbers. */
function cost(filtered: Uint8Array): number {
  let sum = 0;
  for (let i = 1; i < filtered.length; i++) sum += filtered[i]! < 128 ? filtered[i]! : 256 - filtered[i]!;
  return sum;
}

/**
 * Lossless and the same bytes in every browser and in Node (a canvas premultiplies, and its encoders differ).
 * RGB when every pixel is opaque, else RGBA; 8 bit, sRGB.
 *
 * @param chunks written before the pixels, e.g. text
 */
export function encodePng({ data, width, height }: Pixels, chunks: readonly PngChunk[] = []): Blob {
  let opaque = true;
  for (let i = 3; opaque && i < data.length; i += 4) opaque = data[i] === 255;
  const bpp = opaque ? 3 : 4;

  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, opaque ? 2 : 6, 0, 0, 0], 8);
  const parts: Uint8Array<ArrayBuffer>[] = [
    new Uint8Array(PNG_SIGNATURE),
    encodeChunk({ type: 'IHDR', data: header }),
    // rendering intent: perceptual
    encodeChunk({ type: 'sRGB', data: Uint8Array.of(0) }),
    ...chunks.map(encodeChunk),
  ];

  const zlib = new Zlib({ level: 4 }, (part) => {
    if (part.length > 0) parts.push(encodeChunk({ type: 'IDAT', data: part }));
  });
  const stride = bpp * width;
  let row = new Uint8Array(stride);
  let above = new Uint8Array(stride);
  const candidates = FILTERS.map(() => new Uint8Array(stride + 1));
  for (let first = 0; first < height; first += BATCH) {
    const rows = Math.min(BATCH, height - first);
    const batch = new Uint8Array(rows * (stride + 1));
    for (let r = 0; r < rows; r++) {
      const from = 4 * (first + r) * width;
      for (let x = 0, i = 0; x < width; x++) {
        for (let c = 0; c < bpp; c++) row[i++] = data[from + 4 * x + c]!;
      }
      let best = candidates[0]!;
      let least = Number.POSITIVE_INFINITY;
      FILTERS.forEach((filter, k) => {
        const candidate = candidates[k]!;
        filter(row, above, bpp, candidate);
        const price = cost(candidate);
        if (price < least) [best, least] = [candidate, price];
      });
      batch.set(best, r * (stride + 1));
      [row, above] = [above, row];
    }
    zlib.push(batch, first + rows === height);
  }
  return new Blob([...parts, encodeChunk({ type: 'IEND', data: new Uint8Array() })], { type: 'image/png' });
}
