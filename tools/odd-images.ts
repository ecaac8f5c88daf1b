import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { encodePam } from '../src/formats/pam';
import { encodeChunk, encodePng, type PngChunk, readChunks } from '../src/formats/png';
import { contentId } from '../src/storage/blobs';
import type { Pixels } from '../src/util/pixels';
import { readImage } from './images';

/** Flat quarters: red, green over blue, yellow; each 16 × 12 px, so that every turn and mirror shows. */
export const QUARTERS = {
  red: [220, 30, 30],
  green: [30, 200, 40],
  blue: [40, 50, 220],
  yellow: [230, 220, 40],
};
export const quarters = (): Pixels => {
  const data = new Uint8ClampedArray(4 * 32 * 24);
  for (let i = 0; i < 32 * 24; i++) {
    const [left, top] = [i % 32 < 16, i < 32 * 12];
    const colour = top ? (left ? 'red' : 'green') : left ? 'blue' : 'yellow';
    data.set([...QUARTERS[colour], 255], 4 * i);
  }
  return { data, width: 32, height: 24 };
};
export const raw = ({ data, width, height }: Pixels) => sharp(data, { raw: { width, height, channels: 4 } });
/** The quarters with an EXIF orientation: a reader that applies it gets them upright. */
export async function rotated(orientation: number, format: 'jpeg' | 'png' | 'webp'): Promise<Buffer> {
  // Stored so that applying the orientation gives the quarters back: libvips first applies the inverse.
  const inverse = [0, 1, 2, 3, 4, 5, 8, 7, 6][orientation]!;
  const tagged = await raw(quarters()).withMetadata({ orientation: inverse }).png().toBuffer();
  const stored = await sharp(tagged).autoOrient().toBuffer();
  return sharp(stored).withMetadata({ orientation })[format]().toBuffer();
}

const shown = (data: Uint8ClampedArray): Pixels => ({ ...quarters(), data });
const negative = (): Pixels => shown(quarters().data.map((v, i) => (i % 4 < 3 ? 255 - v : v)));
const halfTransparent = (): Pixels => shown(quarters().data.map((v, i) => (i % 4 < 3 ? v : 128)));

/** @see W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", 11.3.6: acTL, fcTL, fdAT */
async function animatedPng(first: Pixels, second: Pixels): Promise<Buffer> {
  const numbers = (...values: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
    return bytes;
  };
  // for a tenth of a second, neither disposed of nor blended
  const frame = (sequence: number): PngChunk => {
    const place = numbers(sequence, first.width, first.height, 0, 0);
    return { type: 'fcTL', data: Buffer.concat([place, Buffer.from([0, 1, 0, 10, 0, 0])]) };
  };
  const still = await encodePng(first, [{ type: 'acTL', data: numbers(2, 0) }, frame(0)]).bytes();
  const other = readChunks(await encodePng(second).bytes()).filter(({ type }) => type === 'IDAT');
  const image = { type: 'fdAT', data: Buffer.concat([numbers(2), ...other.map(({ data }) => data)]) };
  const end = still.length - 12;
  return Buffer.concat([
    still.subarray(0, end),
    encodeChunk(frame(1)),
    encodeChunk(image),
    still.subarray(end),
  ]);
}

/** Valid pictures of every kind that trips readers, each showing the quarters upright. */
export async function oddImages(): Promise<Record<string, Buffer>> {
  const image = (): Sharp => raw(quarters());
  const frames = [raw(quarters()), raw(negative())];
  const stack = Buffer.concat(await Promise.all(frames.map((f) => f.raw().toBuffer())));
  const animation = (): Sharp =>
    sharp(stack, { raw: { width: 32, height: 48, channels: 4, pageHeight: 24 } });
  return {
    'display-p3.jpg': await image().flatten().withIccProfile('p3').jpeg({ quality: 95 }).toBuffer(),
    'cmyk.jpg': await image().flatten().toColourspace('cmyk').jpeg().toBuffer(),
    '16bit.png': await image().toColourspace('rgb16').png().toBuffer(),
    'palette.png': await image().png({ palette: true }).toBuffer(),
    'interlaced.png': await image().png({ progressive: true }).toBuffer(),
    'progressive.jpg': await image().flatten().jpeg({ progressive: true }).toBuffer(),
    'animated.gif': await animation()
      .gif({ delay: [100, 100] })
      .toBuffer(),
    'animated.webp': await animation()
      .webp({ delay: [100, 100], lossless: true })
      .toBuffer(),
    'animated.png': await animatedPng(quarters(), negative()),
    'half-transparent.png': await raw(halfTransparent()).png().toBuffer(),
    'still.avif': await image().avif({ quality: 90 }).toBuffer(),
    'scan.tiff': await image().tiff().toBuffer(),
    'wrong-ending.png': await image().flatten().jpeg().toBuffer(),
  };
}

/** Pictures without colour, 8 × 8 px, all of level 90; the lower half of grey-alpha.png is transparent. */
export async function greyImages(): Promise<Record<string, Buffer>> {
  const levels = Uint8Array.from({ length: 2 * 64 }, (_, i) => (i % 2 ? (i < 64 ? 255 : 0) : 90));
  const image = (): Sharp =>
    sharp(levels, { raw: { width: 8, height: 8, channels: 2 } }).toColourspace('b-w');
  return {
    'grey-alpha.png': await image().png().toBuffer(),
    'grey.png': await image().removeAlpha().png().toBuffer(),
    'grey.jpg': await image().removeAlpha().jpeg().toBuffer(),
  };
}

/** Content ids as this reader sees the pictures; left out are those whose colours every program converts or rounds its own way. */
async function contentIds(folder: string): Promise<Record<string, string>> {
  const ids: Record<string, string> = {};
  for (const name of (await readdir(folder)).sort()) {
    if (/cmyk|p3|avif|tiff|json|alpha|transparent/.test(name)) continue;
    ids[name] = await contentId(encodePam(await readImage(join(folder, name))));
  }
  return ids;
}

/** Writes what the browser's tests read: `npx tsx tools/odd-images.ts` (made with the sharp of package-lock.json). */
async function main(): Promise<void> {
  const folder = join(import.meta.dirname, '../src/files/golden');
  await mkdir(folder, { recursive: true });
  const images = { ...(await oddImages()), ...(await greyImages()) };
  for (const [name, bytes] of Object.entries(images)) await writeFile(join(folder, name), bytes);
  for (let n = 1; n <= 8; n++) await writeFile(join(folder, `${n}.jpeg`), await rotated(n, 'jpeg'));
  for (const format of ['png', 'webp'] as const) {
    await writeFile(join(folder, `6.${format}`), await rotated(6, format));
  }
  await writeFile(join(folder, 'ids.json'), `${JSON.stringify(await contentIds(folder), null, 2)}\n`);
}
if (process.argv[1] === import.meta.filename) await main();
