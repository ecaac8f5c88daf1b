import { expect, test } from 'vitest';
import { inspectImage } from './inspect';

const bytes = (...parts: (string | readonly number[])[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(parts.flatMap((p) => (typeof p === 'string' ? [...p].map((c) => c.charCodeAt(0)) : p)));
const u32 = (n: number): number[] => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const le32 = (n: number): number[] => u32(n).reverse();
const le16 = (n: number): number[] => le32(n).slice(0, 2);
const inspect = (b: Uint8Array<ArrayBuffer>) => inspectImage(b, 'x');

const sof = (width: number, height: number): number[] => [
  ...[0xff, 0xc0, 0, 11, 8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0],
];
const scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 1, 2, 0xff, 0, 3, 0xff, 0xd0, 4];
const jpeg = (...middle: number[]): Uint8Array<ArrayBuffer> =>
  bytes([0xff, 0xd8], [0xff, 0xe0, 0, 4, 0x4a, 0x46], middle, [0xff, 0xd9]);

test('JPEG: the frame’s size, whatever comes after the end and between segments', () => {
  const file = jpeg(...sof(640, 480), 0xff, 0xff, ...scan);
  expect(inspect(file)).toEqual({ type: 'jpeg', width: 640, height: 480 });
  expect(inspect(bytes([...file], 'a motion photo’s film'))).toMatchObject({ width: 640 });
  expect(() => inspect(jpeg(...sof(0, 480), ...scan))).toThrow(/no pixels/);
  expect(() => inspect(jpeg(...scan))).toThrow(/no picture/);
  expect(() => inspect(jpeg(...sof(640, 480)))).toThrow(/no picture/);
  expect(() => inspect(file.slice(0, -2))).toThrow(/cut short/);
  expect(() => inspect(jpeg(...sof(60_000, 60_000), ...scan))).toThrow(/3600|megapixels/);
});

const webp = (...chunks: [string, number[]][]): Uint8Array<ArrayBuffer> => {
  const body = chunks.flatMap(([type, data]) => [
    ...bytes(type),
    ...le32(data.length),
    ...data,
    ...(data.length % 2 ? [0] : []),
  ]);
  return bytes('RIFF', le32(4 + body.length), 'WEBP', body);
};
test('WebP: all three kinds of header, and the largest counts', () => {
  const lossy: [string, number[]] = ['VP8 ', [0, 0, 0, 0x9d, 1, 0x2a, ...le16(300), ...le16(200), 0]];
  const lossless: [string, number[]] = ['VP8L', [0x2f, ...le32(299 | (199 << 14)), 0]];
  const extended: [string, number[]] = [
    'VP8X',
    [0, 0, 0, 0, ...le32(399).slice(0, 3), ...le32(299).slice(0, 3)],
  ];
  expect(inspect(webp(lossy))).toMatchObject({ width: 300, height: 200 });
  expect(inspect(webp(lossless))).toMatchObject({ width: 300, height: 200 });
  expect(inspect(webp(extended, lossy))).toMatchObject({ width: 400, height: 300 });
  expect(() => inspect(webp(['EXIF', [0, 0, 0, 0]]))).toThrow(/no picture/);
  expect(() => inspect(webp(lossy).slice(0, -4))).toThrow(/cut short/);
  const huge: [string, number[]] = ['VP8X', [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]];
  expect(() => inspect(webp(huge))).toThrow(/megapixels/);
});

test('GIF: a frame larger than the screen counts', () => {
  const frame = [0x2c, ...le16(0), ...le16(0), ...le16(9000), ...le16(20_000), 0, 2, 2, 0x4c, 1, 0, 0x3b];
  expect(() => inspect(bytes('GIF89a', le16(10), le16(10), [0, 0, 0], frame))).toThrow(/megapixels/);
  const small = [0x21, 0xfe, 2, 65, 65, 0, 0x2c, 0, 0, 0, 0, 9, 0, 7, 0, 0, 2, 2, 0x4c, 1, 0, 0x3b];
  expect(inspect(bytes('GIF89a', le16(10), le16(10), [0, 0, 0], small))).toEqual({
    type: 'gif',
    width: 10,
    height: 10,
  });
});

test('AVIF and HEIC: size from the declared properties, cut files refused', () => {
  const iso = (brand: string, width: number): Uint8Array<ArrayBuffer> => {
    const ispe = bytes(u32(20), 'ispe', u32(0), u32(width), u32(100));
    return bytes(u32(16), 'ftyp', brand, u32(0), u32(12 + ispe.length), 'meta', u32(0), [...ispe]);
  };
  expect(inspect(iso('avif', 640))).toEqual({ type: 'avif', width: 640, height: 100 });
  expect(inspect(iso('heic', 640))).toEqual({ type: 'heic', width: 640, height: 100 });
  expect(() => inspect(iso('avif', 2_000_000))).toThrow(/megapixels/);
  expect(() => inspect(iso('avif', 640).slice(0, -1))).toThrow(/cut short/);
  // a last box that announces a 64-bit size and ends there
  const announced = bytes(u32(16), 'ftyp', 'avif', u32(0), u32(1), 'meta', u32(0), u32(0)).slice(0, 24);
  expect(() => inspect(announced)).toThrow(/cut short/);
  expect(() => inspect(iso('isom', 640))).toThrow(/known format/);
});

test('random bytes behind any signature end in an error or a size, never in a crash or a hang', () => {
  let state = 1;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  };
  const heads = [
    '\xff\xd8\xff',
    '\x89PNG\r\n\x1a\n',
    'RIFF\x40\0\0\0WEBP',
    'GIF89a',
    'BM',
    '\0\0\0\x18ftypavif',
    'II*\0',
  ];
  for (let n = 0; n < 3000; n++) {
    const file = bytes(heads[n % heads.length]!, Array.from({ length: 20 + next() }, next));
    try {
      expect(inspect(file).type).toBeTypeOf('string');
    } catch (error) {
      expect(['BAD_IMAGE', 'TOO_BIG']).toContain((error as { code?: string }).code);
    }
  }
});
