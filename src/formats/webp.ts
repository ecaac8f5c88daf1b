import { AppError } from '../util/errors';

export interface RiffChunk {
  /** four characters */
  readonly type: string;
  /** without header and padding, a view */
  readonly data: Uint8Array<ArrayBuffer>;
}

const ascii = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
const u24 = (d: Uint8Array, at: number): number => d[at]! | (d[at + 1]! << 8) | (d[at + 2]! << 16);

/**
 * The chunks of a WebP file.
 *
 * @throws AppError BAD_IMAGE when the file is cut short
 * @see RFC 9649, "WebP Image Format"
 */
export function readRiff(bytes: Uint8Array<ArrayBuffer>): RiffChunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cut = new AppError('BAD_IMAGE', 'the WebP is cut short');
  if (bytes.length < 20) throw cut;
  const end = 8 + view.getUint32(4, true);
  if (end > bytes.length) throw cut;
  const chunks: RiffChunk[] = [];
  for (let at = 12; at + 8 <= end; ) {
    const length = view.getUint32(at + 4, true);
    if (length > end - at - 8) throw cut;
    chunks.push({ type: ascii(bytes, at), data: bytes.subarray(at + 8, at + 8 + length) });
    at += 8 + length + (length & 1);
  }
  return chunks;
}

/** px and whether there is an alpha channel, of the canvas or the largest frame; null when there is no picture. */
export function webpSize(
  chunks: readonly RiffChunk[],
): { width: number; height: number; alpha: boolean } | null {
  const found = chunks.flatMap(({ type, data: d }) => {
    if (type === 'VP8X' && d.length >= 10) {
      return [{ width: 1 + u24(d, 4), height: 1 + u24(d, 7), alpha: (d[0]! & ALPHA) !== 0 }];
    }
    if (type === 'VP8L' && d.length >= 5 && d[0] === 0x2f) {
      const bits = new DataView(d.buffer, d.byteOffset).getUint32(1, true);
      return [
        { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff), alpha: (bits >>> 28) % 2 === 1 },
      ];
    }
    if (type === 'VP8 ' && d.length >= 10) {
      const side = (at: number): number => (d[at]! | (d[at + 1]! << 8)) & 0x3fff;
      return [{ width: side(6), height: side(8), alpha: false }];
    }
    return [];
  });
  if (found.length === 0) return null;
  return {
    width: Math.max(...found.map((f) => f.width)),
    height: Math.max(...found.map((f) => f.height)),
    alpha: found.some((f) => f.alpha),
  };
}

function encodeRiff(chunks: readonly RiffChunk[]): Uint8Array<ArrayBuffer>[] {
  const header = (text: string, length: number): Uint8Array<ArrayBuffer> => {
    const head = new Uint8Array(8);
    for (let i = 0; i < 4; i++) head[i] = text.charCodeAt(i);
    new DataView(head.buffer).setUint32(4, length, true);
    return head;
  };
  const parts = chunks.flatMap(({ type, data }) => [
    header(type, data.length),
    data,
    new Uint8Array(data.length & 1),
  ]);
  const size = parts.reduce((sum, part) => sum + part.length, 4);
  return [header('RIFF', size), new TextEncoder().encode('WEBP'), ...parts];
}

/** Bits of the first byte of VP8X. */
const ALPHA = 0x10;
const EXIF = 0x08;
const XMP = 0x04;

/** The file without its EXIF chunk. */
export function withoutExif(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const kept = readRiff(bytes).filter(({ type }) => type !== 'EXIF');
  return encodeRiff(
    kept.map((chunk) => {
      if (chunk.type !== 'VP8X') return chunk;
      const data = chunk.data.slice();
      data[0]! &= ~EXIF;
      return { ...chunk, data };
    }),
  );
}

/** Adds an XMP packet; a file in the simple layout becomes one in the extended layout, which metadata needs. */
export function withXmp(bytes: Uint8Array<ArrayBuffer>, xmp: string): Uint8Array<ArrayBuffer>[] {
  const chunks = readRiff(bytes).filter(({ type }) => type !== 'XMP ');
  const size = webpSize(chunks);
  if (!size) throw new AppError('BAD_IMAGE', 'the WebP holds no picture');
  const head = chunks.find(({ type }) => type === 'VP8X')?.data.slice() ?? new Uint8Array(10);
  head[0]! |= XMP | (size.alpha ? ALPHA : 0);
  for (const [at, side] of [
    [4, size.width - 1],
    [7, size.height - 1],
  ] as const) {
    head.set([side & 255, (side >> 8) & 255, side >> 16], at);
  }
  return encodeRiff([
    { type: 'VP8X', data: head },
    ...chunks.filter(({ type }) => type !== 'VP8X'),
    { type: 'XMP ', data: new TextEncoder().encode(xmp) },
  ]);
}
