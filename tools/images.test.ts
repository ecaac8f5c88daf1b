import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ExifReader from 'exifreader';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Recipe } from '../src/document/document';
import { DIGITAL_SOURCE_TYPE, describeFile, readRecipe } from '../src/formats/metadata';
import { encodePng } from '../src/formats/png';
import type { Pixels } from '../src/util/pixels';
import { encodeImage, readImage, writeImage } from './images';
import { greyImages, oddImages, QUARTERS, quarters, raw, rotated } from './odd-images';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'images-'));
});
afterAll(() => rm(folder, { recursive: true }));

const save = async (name: string, bytes: Uint8Array | string): Promise<string> => {
  await writeFile(join(folder, name), bytes);
  return join(folder, name);
};
/** Names of the colours in the middle of each quarter: top left, top right, bottom left, bottom right. */
const layout = ({ data, width, height }: Pixels): string[] =>
  [0.25, 0.75].flatMap((y) =>
    [0.25, 0.75].map((x) => {
      const at = 4 * (Math.floor(y * height) * width + Math.floor(x * width));
      const distance = (c: readonly number[]): number => Math.hypot(...c.map((v, k) => v - data[at + k]!));
      return Object.entries(QUARTERS).sort(([, a], [, b]) => distance(a) - distance(b))[0]![0];
    }),
  );
const UPRIGHT = ['red', 'green', 'blue', 'yellow'];

for (const format of ['jpeg', 'png', 'webp'] as const) {
  test(`EXIF orientations 1 to 8 in ${format} come out upright`, async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await rotated(orientation, format);
      const pixels = await readImage(await save(`${orientation}.${format}`, bytes));
      expect([orientation, pixels.width, pixels.height, layout(pixels)]).toEqual([
        orientation,
        32,
        24,
        UPRIGHT,
      ]);
    }
  });
}

test('odd but valid pictures are read as 8-bit sRGB with alpha', async () => {
  const files = await oddImages();
  expect((await sharp(files['cmyk.jpg']!).metadata()).space).toBe('cmyk');
  expect((await sharp(files['16bit.png']!).metadata()).depth).toBe('ushort');
  expect((await sharp(files['animated.gif']!).metadata()).pages).toBe(2);
  expect((await sharp(files['animated.webp']!).metadata()).pages).toBe(2);
  for (const [name, bytes] of Object.entries(files)) {
    const pixels = await readImage(await save(name, bytes));
    expect([name, pixels.width, pixels.height, layout(pixels)]).toEqual([name, 32, 24, UPRIGHT]);
    expect(pixels.data.length).toBe(4 * 32 * 24);
  }
});

test('half-transparent colours are read exactly', async () => {
  const bytes = (await oddImages())['half-transparent.png']!;
  const { data } = await readImage(await save('half.png', bytes));
  expect(Array.from(data.subarray(0, 4))).toEqual([...QUARTERS.red, 128]);
  expect(Array.from(data.subarray(-4))).toEqual([...QUARTERS.yellow, 128]);
});

test('wide-gamut colours are converted, not reinterpreted', async () => {
  const bytes = (await oddImages())['display-p3.jpg']!;
  expect((await sharp(bytes).metadata()).icc).toBeDefined();
  const stored = await sharp(bytes, { ignoreIcc: true }).raw().toBuffer();
  const { data } = await readImage(await save('p3.jpg', bytes));
  const distance = (c: ArrayLike<number>): number => Math.hypot(c[0]! - 220, c[1]! - 30, c[2]! - 30);
  expect(distance(stored)).toBeGreaterThan(25);
  expect(distance(data)).toBeLessThan(6);
});

test('grey, grey with alpha and 1-bit pictures are read', async () => {
  const files = await greyImages();
  expect((await sharp(files['grey-alpha.png']!).metadata()).channels).toBe(2);
  const [opaque, clear] = [
    [90, 90, 90, 255],
    [90, 90, 90, 0],
  ];
  for (const [name, bytes] of Object.entries(files)) {
    const { data } = await readImage(await save(name, bytes));
    expect(Array.from(data.subarray(0, 4))).toEqual(opaque);
    expect(Array.from(data.subarray(-4))).toEqual(name === 'grey-alpha.png' ? clear : opaque);
  }
  const bits = await sharp(files['grey.png']).threshold(50).png({ palette: true, colours: 2 }).toBuffer();
  expect((await readImage(await save('1bit.png', bits))).data[0]).toBe(255);
});

/** A real PNG header for a picture that would need 10 GB. */
function bomb(): Buffer {
  const tiny = Buffer.from(encodeSync());
  tiny.writeUInt32BE(50_000, 16);
  tiny.writeUInt32BE(50_000, 20);
  tiny.writeUInt32BE(crc(tiny.subarray(12, 29)), 29);
  return tiny;
}
let encodeSync: () => Uint8Array;
const crc = (bytes: Uint8Array): number => {
  let c = ~0;
  for (const byte of bytes) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return ~c >>> 0;
};
beforeAll(async () => {
  const png = await encodePng(quarters()).bytes();
  encodeSync = () => png;
});

test('hostile and broken files are refused in one line that names the file', async () => {
  const jpeg = await raw(quarters()).flatten().jpeg().toBuffer();
  const png = Buffer.from(encodeSync());
  const webp = await raw(quarters()).webp().toBuffer();
  const gif = await raw(quarters()).gif().toBuffer();
  const flipped = Buffer.from(png);
  flipped[60]! ^= 1;
  const noise = createHash('shake256', { outputLength: 50_000 }).update('noise').digest();
  const cases: [string, Uint8Array | string, RegExp, string?][] = [
    ['empty.jpg', '', /is empty/],
    ['page.jpg', '\n<!DOCTYPE html><html><body>404</body></html>', /web page/],
    ['pointer.png', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', /Git LFS/],
    ['drawing.png', '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', /SVG/],
    ['noise.jpg', noise, /not a picture/],
    ['noise-with-header.jpg', Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), noise]), /JPEG|picture/],
    ['text.png', 'hello', /not a picture/],
    ['cut.jpg', jpeg.subarray(0, jpeg.length - 20), /cut short/],
    ['half.jpg', jpeg.subarray(0, jpeg.length / 2), /cut short/],
    ['head.jpg', jpeg.subarray(0, 3), /cut short/],
    ['cut.png', png.subarray(0, png.length - 20), /cut short/],
    ['flipped.png', flipped, /checksum/],
    ['cut.webp', webp.subarray(0, webp.length - 20), /cut short/],
    ['cut.gif', gif.subarray(0, gif.length - 20), /cut short/],
    ['bomb.png', bomb(), /50000 × 50000 px is more than 100 megapixels/, 'TOO_BIG'],
  ];
  for (const [name, bytes, message, code = 'BAD_IMAGE'] of cases) {
    const error = await readImage(await save(name, bytes)).then(
      () => null,
      (e: unknown) => e as Error & { code: string },
    );
    expect([name, error?.code]).toEqual([name, code]);
    expect(error?.message).toMatch(message);
    expect(error?.message.startsWith(`${name}: `)).toBe(true);
    expect(error?.message).not.toContain('\n');
  }
  await expect(readImage(join(folder, 'missing.png'))).rejects.toThrow(/no such file/);
  await expect(readImage(folder)).rejects.toThrow(/folder/);
});

const recipe: Recipe = {
  app: 'DreamSteerer Studio',
  version: 1,
  model: 'starter',
  method: 'dds-sm',
  sourcePrompt: 'a photo of a cat, on a "wooden" table',
  targetPrompt: 'a photo of a dög 🐕 on a wooden table',
  subject: 'cat',
  seed: 7,
  options: { steps: 30, guidanceScale: 7.5 },
  photo: { id: 'ab'.repeat(32), width: 32, height: 24 },
  square: { x: 4, y: 0, size: 24 },
  mask: null,
  concept: null,
};

for (const format of ['png', 'jpeg', 'webp'] as const) {
  test(`an exported ${format} is labelled, holds no camera data, and decodes`, async () => {
    const bytes = new Uint8Array(await encodeImage(quarters(), format, { recipe, quality: 95 }));
    const { xmp, gps, exif } = ExifReader.load(Buffer.from(bytes), { expanded: true });
    expect(xmp?.DigitalSourceType?.value).toBe(DIGITAL_SOURCE_TYPE);
    expect([gps, exif]).toEqual([undefined, undefined]);
    expect(describeFile(bytes)).toEqual({ label: true, recipe: format === 'png', exif: false });
    const pixels = await readImage(await save(`export.${format}`, bytes));
    expect(layout(pixels)).toEqual(UPRIGHT);
    expect(readRecipe(bytes)).toEqual(format === 'png' ? recipe : null);
  });
}

test('place and serial number of a photo never reach an export, and are seen where they are', async () => {
  const photo = await raw(quarters())
    .flatten()
    .withExif({
      IFD0: { Make: 'Camera', Model: 'X1' },
      IFD2: { BodySerialNumber: '123456' },
      IFD3: {
        GPSLatitudeRef: 'N',
        GPSLatitude: '51/1 30/1 3230/100',
        GPSLongitudeRef: 'W',
        GPSLongitude: '0/1 7/1 4366/100',
      },
    })
    .jpeg()
    .toBuffer();
  expect(ExifReader.load(photo, { expanded: true }).gps?.Latitude).toBeCloseTo(51.509, 3);
  expect(describeFile(new Uint8Array(photo)).exif).toBe(true);
  const pixels = await readImage(await save('gps.jpg', photo));
  for (const format of ['png', 'jpeg', 'webp'] as const) {
    const bytes = await encodeImage(pixels, format, { recipe });
    expect(Buffer.from(bytes).includes('123456')).toBe(false);
    expect(Buffer.from(bytes).includes('Exif')).toBe(false);
    expect(describeFile(new Uint8Array(bytes)).exif).toBe(false);
  }
});

test('PNG export is exact, also for transparent pixels, and the same bytes every time', async () => {
  const pixels = quarters();
  for (const [i, value] of pixels.data.entries()) pixels.data[i] = (value * 31 + i * 17) % 256;
  const path = join(folder, 'exact.png');
  await writeImage(path, pixels, 'png');
  const decoded = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  expect(decoded.info.channels).toBe(4);
  expect(new Uint8ClampedArray(decoded.data)).toEqual(pixels.data);
  expect((await readImage(path)).data).toEqual(pixels.data);
  const again = await encodeImage(pixels, 'png');
  expect(Buffer.compare(again, await encodeImage(pixels, 'png'))).toBe(0);
  // Also in another Node, on another machine.
  expect(createHash('sha256').update(again).digest('hex')).toBe(
    '159064b7da94508009127033bfd4fc35d3aef915a75d166ad41b2eba83222a31',
  );
});

test('a failed write leaves nothing behind', async () => {
  const inside = await mkdtemp(join(folder, 'out-'));
  await writeImage(join(inside, 'a.jpg'), quarters(), 'jpeg');
  const broken = { ...quarters(), data: new Uint8ClampedArray(8) };
  await expect(writeImage(join(inside, 'b.jpg'), broken, 'jpeg')).rejects.toThrow();
  await expect(writeImage(join(inside, 'no-folder', 'c.png'), quarters(), 'png')).rejects.toThrow();
  expect(await readdir(inside)).toEqual(['a.jpg']);
});
