import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';

const header = (width: number, height: number): string =>
  `P7\nWIDTH ${width}\nHEIGHT ${height}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n`;

/** Longer than any header that `encodePam` writes; bytes. */
const HEADER_LIMIT = 128;

/**
 * Pictures in storage are Netpbm PAM: a short text header and raw RGBA. No codec, so the bytes, and with them the
 * content id, are the same in every browser and in Node; reading is a view. Exports are PNG, JPEG or WebP.
 *
 * @see https://netpbm.sourceforge.net/doc/pam.html
 */
export function encodePam({ data, width, height }: Pixels): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(header(width, height));
  const bytes = new Uint8Array(text.length + data.length);
  bytes.set(text);
  bytes.set(data, text.length);
  return bytes;
}

/** A view on `bytes`, not a copy. Reads what `encodePam` writes. @throws AppError BAD_FILE */
export function decodePam(bytes: Uint8Array<ArrayBuffer>): Pixels & { data: Uint8ClampedArray<ArrayBuffer> } {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, HEADER_LIMIT));
  const [, w, h] = /^P7\nWIDTH (\d{1,6})\nHEIGHT (\d{1,6})\n/.exec(text) ?? [];
  const width = Number(w);
  const height = Number(h);
  const expected = header(width, height);
  if (!text.startsWith(expected) || bytes.length !== expected.length + 4 * width * height) {
    throw new AppError('BAD_FILE', 'a stored picture is damaged', { length: bytes.length });
  }
  return {
    data: new Uint8ClampedArray(bytes.buffer, bytes.byteOffset + expected.length, 4 * width * height),
    width,
    height,
  };
}
