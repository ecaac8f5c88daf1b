import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import sharp from 'sharp';
import type { Recipe } from '../src/document/document';
import { inspectImage, MAX_PIXELS } from '../src/formats/inspect';
import { type ExportType, pngMetadata, withLabel } from '../src/formats/metadata';
import { orient, readOrientation, turnsByExif, withoutExif } from '../src/formats/orientation';
import { encodePng } from '../src/formats/png';
import { AppError } from '../src/util/errors';
import type { Pixels } from '../src/util/pixels';
import type { NamedPicture } from './stored-pictures';

/** Larger files are refused unread, bytes. */
const MAX_FILE = 500_000_000;

async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE) throw new AppError('TOO_BIG', `${path}: ${Math.round(size / 1e6)} MB is too much`);
    const { buffer, byteOffset, length } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why = {
      ENOENT: 'there is no such file',
      EISDIR: 'this is a folder',
      EACCES: 'no permission to read',
    };
    throw new AppError('BAD_IMAGE', `${path}: ${why[code as keyof typeof why] ?? code}`);
  }
}

/**
 * Reads a picture by the rules of the page (src/files/decode.ts): first frame, upright, 8-bit sRGB, without metadata.
 *
 * @throws AppError BAD_IMAGE, TOO_BIG: one line that names the file
 */
export async function readImage(path: string): Promise<Pixels> {
  const name = basename(path);
  const bytes = await readBytes(path);
  const { type } = inspectImage(bytes, name);
  const input = Buffer.concat(withoutExif(bytes, type));
  try {
    const { data, info } = await sharp(input, { failOn: 'truncated', limitInputPixels: MAX_PIXELS })
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    // A copy: small buffers share memory with others.
    const pixels = { data: new Uint8ClampedArray(data), width: info.width, height: info.height };
    return turnsByExif(type) ? orient(pixels, readOrientation(bytes)) : pixels;
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0]!;
    if (/exceeds pixel limit/.test(reason)) throw new AppError('TOO_BIG', `${name}: ${reason}`);
    throw new AppError('BAD_IMAGE', `${name}: the picture cannot be decoded (${reason})`);
  }
}

const PICTURES = new Set(['.png', '.jpg', '.jpeg', '.webp', '.avif', '.gif']);

/**
 * Every picture of a folder, by name.
 *
 * @throws AppError BAD_REQUEST when there is no such folder or nothing in it; as `readImage`
 */
export async function readPictures(folder: string): Promise<NamedPicture[]> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    throw new AppError('BAD_REQUEST', `cannot read the folder ${folder}: ${error.code}`);
  });
  const names = files.filter((name) => PICTURES.has(extname(name).toLowerCase())).sort();
  if (names.length === 0) throw new AppError('BAD_REQUEST', `there are no pictures in ${folder}`);
  const pictures = [];
  for (const name of names) pictures.push({ name, pixels: await readImage(join(folder, name)) });
  return pictures;
}

export interface WriteOptions {
  /** written into PNG; null: not */
  readonly recipe?: Recipe | null;
  /** of JPEG and WebP, 1 … 100 */
  readonly quality?: number;
}

/** The bytes of a picture file with the AI label; PNG is exact and the same as the page exports. */
export async function encodeImage(
  pixels: Pixels,
  format: ExportType,
  { recipe = null, quality = 92 }: WriteOptions = {},
): Promise<Uint8Array> {
  if (format === 'png') return encodePng(pixels, pngMetadata(recipe)).bytes();
  const { data, width, height } = pixels;
  const image = sharp(data, { raw: { width, height, channels: 4 } });
  const bytes =
    format === 'jpeg'
      ? await image.flatten({ background: 'white' }).jpeg({ quality }).toBuffer()
      : await image.webp({ quality }).toBuffer();
  return Buffer.concat(withLabel(new Uint8Array(bytes), format));
}

/** Writes a whole file or none: under another name first, then renamed. */
export async function writeAtomically(path: string, bytes: Uint8Array | string): Promise<void> {
  const part = join(dirname(path), `.${basename(path)}.${randomUUID()}.part`);
  try {
    await writeFile(part, bytes);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Writes a picture file, whole or not at all. */
export async function writeImage(
  path: string,
  pixels: Pixels,
  format: ExportType,
  options: WriteOptions = {},
): Promise<void> {
  await writeAtomically(path, await encodeImage(pixels, format, options));
}
