import { AppError } from '../util/errors';

export interface JpegSegment {
  /** second byte of the marker, e.g. 0xe1 for APP1 */
  readonly marker: number;
  /** byte of the marker's 0xff */
  readonly begin: number;
  readonly end: number;
  /** without marker and length, a view */
  readonly data: Uint8Array;
}

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP0 = 0xe0;
const APP1 = 0xe1;
const TEM = 0x01;
const isRestart = (marker: number): boolean => marker >= 0xd0 && marker <= 0xd7;

/**
 * The segments of a JPEG, compressed scans skipped over.
 *
 * @throws AppError BAD_IMAGE when the file ends before its end marker
 * @see ITU-T T.81, annex B
 */
export function readSegments(bytes: Uint8Array): JpegSegment[] {
  const segments: JpegSegment[] = [];
  const cut = new AppError('BAD_IMAGE', 'the JPEG is cut short');
  let at = 2;
  for (;;) {
    // Between segments stand fill bytes; within a scan, entropy-coded data with 0xff escaped as 0xff 0x00.
    const begin = bytes.indexOf(0xff, at);
    if (begin < 0 || begin + 1 >= bytes.length) throw cut;
    const marker = bytes[begin + 1]!;
    at = begin + (marker === 0xff ? 1 : 2);
    if (marker === 0xff || marker === 0 || marker === TEM || marker === SOI || isRestart(marker)) continue;
    if (marker === EOI) return segments;
    if (at + 2 > bytes.length) throw cut;
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    const end = at + length;
    if (length < 2 || end > bytes.length) throw cut;
    segments.push({ marker, begin, end, data: bytes.subarray(at + 2, end) });
    at = end;
  }
}

/** px, before any EXIF orientation; null when there is no frame header. */
export function jpegSize(segments: readonly JpegSegment[]): { width: number; height: number } | null {
  // SOF0 … SOF15 without the three that share the range: DHT, JPG, DAC.
  const frames = segments.filter(
    ({ marker, data }) =>
      marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker) && data.length >= 6,
  );
  const side = (at: number): number =>
    Math.max(...frames.map(({ data }) => (data[at]! << 8) | data[at + 1]!));
  return frames.length > 0 && segments.some(({ marker }) => marker === SOS)
    ? { width: side(3), height: side(1) }
    : null;
}

const startsWith = (data: Uint8Array, text: string): boolean =>
  data.length >= text.length && [...text].every((c, i) => data[i] === c.charCodeAt(0));

const isExif = ({ marker, data }: JpegSegment): boolean => marker === APP1 && startsWith(data, 'Exif\0');

const XMP_NAMESPACE = 'http://ns.adobe.com/xap/1.0/\0';

export const isXmp = ({ marker, data }: JpegSegment): boolean =>
  marker === APP1 && startsWith(data, XMP_NAMESPACE);

/** The file without its EXIF segments, as parts that share its memory. */
export function withoutExif(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const segment of readSegments(bytes)) {
    if (!isExif(segment)) continue;
    parts.push(bytes.subarray(at, segment.begin));
    at = segment.end;
  }
  return [...parts, bytes.subarray(at)];
}

/** Puts an XMP packet behind the JFIF header. The packet must fit one segment, about 65 000 bytes. */
export function withXmp(bytes: Uint8Array<ArrayBuffer>, xmp: string): Uint8Array<ArrayBuffer>[] {
  const body = new TextEncoder().encode(XMP_NAMESPACE + xmp);
  const length = body.length + 2;
  const jfif = readSegments(bytes).find(({ marker, data }) => marker === APP0 && startsWith(data, 'JFIF\0'));
  const at = jfif?.end ?? 2;
  const head = Uint8Array.of(0xff, APP1, length >> 8, length & 255);
  return [bytes.subarray(0, at), head, body, bytes.subarray(at)];
}
