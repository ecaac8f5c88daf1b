import { afterAll, expect, test } from 'vitest';
import type { ImageRef, Recipe, Take } from '../document/document';
import { DIGITAL_SOURCE_TYPE } from '../formats/metadata';
import { encodePng } from '../formats/png';
import { contentId, opfsBlobs } from '../storage/blobs';
import { getImage, putImage } from '../storage/images';
import { connect } from '../util/connect';
import type { Pixels } from '../util/pixels';
import { decodeImage } from './decode';
import type { Files } from './files';
import nodeIds from './golden/ids.json';

const worker = connect<Files>(
  () => new Worker(new URL('../../workers/files.worker.ts', import.meta.url), { type: 'module' }),
);
const files = worker.api;
const store = opfsBlobs();
afterAll(() => worker.terminate());

/** Made by tools/odd-images.ts. */
const golden: Record<string, string> = import.meta.glob('./golden/*', {
  query: '?url',
  import: 'default',
  eager: true,
});
const open = async (name: string): Promise<File> =>
  new File([await (await fetch(golden[`./golden/${name}`]!)).blob()], name);

const QUARTERS = { red: [220, 30, 30], green: [30, 200, 40], blue: [40, 50, 220], yellow: [230, 220, 40] };
const layout = ({ data, width, height }: Pixels): string[] =>
  [0.25, 0.75].flatMap((y) =>
    [0.25, 0.75].map((x) => {
      const at = 4 * (Math.floor(y * height) * width + Math.floor(x * width));
      const distance = (c: readonly number[]): number => Math.hypot(...c.map((v, k) => v - data[at + k]!));
      return Object.entries(QUARTERS).sort(([, a], [, b]) => distance(a) - distance(b))[0]![0];
    }),
  );
const UPRIGHT = ['red', 'green', 'blue', 'yellow'];
const readable = Object.keys(golden)
  .map((path) => path.slice('./golden/'.length))
  .filter((name) => !/tiff|json|grey/.test(name));

test('every odd but valid picture is stored upright', async () => {
  expect(readable.length).toBeGreaterThan(15);
  for (const name of readable) {
    const [imported] = await files.importImages([await open(name)]);
    const { image, recipe } = imported!;
    expect(recipe).toBeNull();
    expect([name, image.name, image.width, image.height]).toEqual([name, name, 32, 24]);
    expect([name, layout(await files.readPixels(image.id))]).toEqual([name, UPRIGHT]);
    expect(layout(await getImage(store, image.id))).toEqual(UPRIGHT);
  }
});

test('animations really have two frames', async () => {
  for (const type of ['png', 'gif', 'webp']) {
    const data = await (await open(`animated.${type}`)).arrayBuffer();
    const decoder = new ImageDecoder({ data, type: `image/${type}` });
    await decoder.tracks.ready;
    expect([type, decoder.tracks.selectedTrack?.frameCount]).toEqual([type, 2]);
    decoder.close();
  }
});

test('grey stays grey, and what is transparent stays so', async () => {
  for (const name of ['grey.png', 'grey.jpg', 'grey-alpha.png']) {
    const [imported] = await files.importImages([await open(name)]);
    const { data, width, height } = await files.readPixels(imported!.image.id);
    expect([name, width, height, ...data.subarray(0, 4)]).toEqual([name, 8, 8, 90, 90, 90, 255]);
    expect([name, data.at(-1)]).toEqual([name, name === 'grey-alpha.png' ? 0 : 255]);
  }
});

test('half-transparent colours keep their alpha, and are rounded at most', async () => {
  const [imported] = await files.importImages([await open('half-transparent.png')]);
  const { data } = await files.readPixels(imported!.image.id);
  for (const [at, colour] of [
    [0, QUARTERS.red],
    [data.length - 4, QUARTERS.yellow],
  ] as const) {
    expect(data[at + 3]).toBe(128);
    for (let c = 0; c < 3; c++) expect(Math.abs(data[at + c]! - colour[c]!)).toBeLessThanOrEqual(1);
  }
});

test('wide-gamut colours are converted, not reinterpreted', async () => {
  const [imported] = await files.importImages([await open('display-p3.jpg')]);
  const { data } = await files.readPixels(imported!.image.id);
  expect(Math.hypot(data[0]! - 220, data[1]! - 30, data[2]! - 30)).toBeLessThan(6);
});

test('the page and the command line give a photo the same id', async () => {
  for (const [name, id] of Object.entries(nodeIds)) {
    const [imported] = await files.importImages([await open(name)]);
    expect([name, imported?.image.id]).toEqual([name, id]);
  }
});

test('what cannot be opened is refused in words that name the file, and nothing is stored', async () => {
  const before = (await store.list()).length;
  const jpeg = await open('1.jpeg');
  const cases: [File, RegExp][] = [
    [new File([], 'empty.jpg'), /^empty.jpg: .*empty/],
    [new File(['<!doctype html><p>404'], 'page.jpg'), /^page.jpg: .*web page/],
    [new File([crypto.getRandomValues(new Uint8Array(5000))], 'noise.jpg'), /^noise.jpg: /],
    [new File([jpeg.slice(0, jpeg.size - 30)], 'cut.jpg'), /^cut.jpg: .*cut short/],
    [await open('scan.tiff'), /^scan.tiff: .*TIFF; convert/],
  ];
  for (const [file, message] of cases) {
    await expect(files.importImages([file])).rejects.toMatchObject({
      code: 'BAD_IMAGE',
      message: expect.stringMatching(message),
    });
  }
  // A real HEIC header without a picture that could be decoded.
  const heic = new Uint8Array(40);
  heic.set(new TextEncoder().encode('\0\0\0\x14ftypheic\0\0\0\0mif1'));
  heic.set(new TextEncoder().encode('\0\0\0\x14ispe\0\0\0\0\0\0\0\x08\0\0\0\x08'), 20);
  heic.set(new TextEncoder().encode('meta'), 24);
  await expect(files.importImages([new File([heic], 'IMG_1.HEIC')])).rejects.toThrow(/^IMG_1.HEIC: /);
  expect((await store.list()).length).toBe(before);
});

test('a picture of 2500 megapixels is refused from its header', async () => {
  const bytes = new Uint8Array(await (await open('16bit.png')).arrayBuffer());
  const view = new DataView(bytes.buffer);
  view.setUint32(16, 50_000);
  view.setUint32(20, 50_000);
  let c = -1;
  for (const byte of bytes.subarray(12, 29)) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  view.setUint32(29, ~c);
  await expect(files.importImages([new File([bytes], 'bomb.png')])).rejects.toMatchObject({
    code: 'TOO_BIG',
    message: 'bomb.png: 50000 × 50000 px is more than 100 megapixels',
  });
});

test('the PNG encoder writes here the bytes it writes in Node', async () => {
  const data = new Uint8ClampedArray(4 * 32 * 24);
  for (let i = 0; i < 32 * 24; i++) {
    const [left, top] = [i % 32 < 16, i < 32 * 12];
    data.set([...QUARTERS[top ? (left ? 'red' : 'green') : left ? 'blue' : 'yellow'], 255], 4 * i);
  }
  for (const [i, value] of data.entries()) data[i] = (value * 31 + i * 17) % 256;
  const { pngMetadata } = await import('../formats/metadata');
  const png = await encodePng({ data, width: 32, height: 24 }, pngMetadata(null)).bytes();
  // The same number stands in tools/images.test.ts.
  expect(await contentId(png)).toBe('159064b7da94508009127033bfd4fc35d3aef915a75d166ad41b2eba83222a31');
});

/** A photo with detail, its square "edited" to show a red disc, stored as the engine would. */
async function take(): Promise<{ take: Take; photo: Pixels }> {
  const draw = (width: number, height: number, at: (x: number, y: number) => readonly number[]): Pixels => {
    const data = new Uint8ClampedArray(4 * width * height);
    for (let i = 0; i < width * height; i++) data.set([...at(i % width, Math.floor(i / width)), 255], 4 * i);
    return { data, width, height };
  };
  const photo = draw(400, 300, (x, y) => [(x * 7 + y * 13) % 200, (x * y) % 180, (x + y) % 220]);
  const plain = draw(64, 64, () => [90, 90, 110]);
  const disc = draw(64, 64, (x, y) => ((x - 32) ** 2 + (y - 32) ** 2 < 150 ? [220, 30, 30] : [90, 90, 110]));
  const put = (pixels: Pixels, name: string): Promise<ImageRef> => putImage(store, pixels, name);
  const { id } = await put(photo, 'photo');
  const recipe: Recipe = {
    app: 'DreamSteerer Studio',
    version: 1,
    model: 'starter',
    method: 'dds',
    sourcePrompt: 'a wall',
    targetPrompt: 'a wall with a “red” disc',
    subject: null,
    seed: 3,
    options: { steps: 20 },
    photo: { id, width: 400, height: 300 },
    square: { x: 60, y: 40, size: 200 },
    mask: null,
    concept: null,
  };
  const [square, reconstruction] = [await put(disc, 'square'), await put(plain, 'reconstruction')];
  return {
    photo,
    take: { id: '1', recipe, square, reconstruction, maskUsed: null, steps: 20, stopped: false },
  };
}

/** Distance of the disc's middle from its red; the photo is elsewhere, and its mean differs from the plain square. */
const redness = ({ data }: Pixels): number => {
  const [r, g, b] = data.subarray(4 * (140 * 400 + 160));
  return Math.hypot(r! - 220, g! - 30, b! - 30);
};

test('a PNG export has the photo’s size, its untouched bytes, and the recipe; importing it finds the recipe', async () => {
  const { take: edit, photo } = await take();
  const png = await files.exportImage(edit, { format: 'png', quality: 90, recipe: true });
  expect(png.type).toBe('image/png');
  expect(await files.inside(png)).toEqual({ label: true, recipe: true, exif: false });
  const [imported] = await files.importImages([new File([png], 'edited.png')]);
  expect(imported?.recipe).toEqual(edit.recipe);

  const result = await decodeImage(new Uint8Array(await png.arrayBuffer()), 'edited.png');
  expect([result.width, result.height]).toEqual([400, 300]);
  expect(redness(result)).toBeLessThan(40);
  let outside = 0;
  let inside = 0;
  for (let i = 0; i < photo.data.length; i++) {
    if (photo.data[i] === result.data[i]) continue;
    const [x, y] = [(i >> 2) % 400, Math.floor((i >> 2) / 400)];
    if (Math.hypot(x - 160, y - 140) < 80) inside++;
    else outside++;
  }
  expect(outside).toBe(0);
  expect(inside).toBeGreaterThan(5000);

  const without = await files.exportImage(edit, { format: 'png', quality: 90, recipe: false });
  expect(await files.inside(without)).toEqual({ label: true, recipe: false, exif: false });
});

test('JPEG and WebP exports are labelled and look right', async () => {
  const { take: edit } = await take();
  for (const format of ['jpeg', 'webp'] as const) {
    const blob = await files.exportImage(edit, { format, quality: 95, recipe: true });
    expect(blob.type).toBe(`image/${format}`);
    expect(await files.inside(blob)).toEqual({ label: true, recipe: false, exif: false });
    expect(await blob.text()).toContain(DIGITAL_SOURCE_TYPE);
    const result = await decodeImage(new Uint8Array(await blob.arrayBuffer()), 'x');
    expect([result.width, result.height]).toEqual([400, 300]);
    expect(redness(result)).toBeLessThan(40);
  }
});

test('a painted mask keeps the rest of the square byte for byte', async () => {
  const { take: edit, photo } = await take();
  const canvas = new OffscreenCanvas(400, 300);
  const context = canvas.getContext('2d')!;
  context.fillStyle = 'white';
  context.fillRect(0, 0, 160, 300);
  const mask = await files.importMask(await canvas.convertToBlob());
  expect(await files.importMask(await canvas.convertToBlob(), { width: 200, height: 150 })).toMatchObject({
    width: 200,
    height: 150,
  });
  const masked = { ...edit, recipe: { ...edit.recipe, mask: mask.id } };
  const png = await files.exportImage(masked, { format: 'png', quality: 90, recipe: true });
  const result = await decodeImage(new Uint8Array(await png.arrayBuffer()), 'x');
  let right = 0;
  let left = 0;
  for (let i = 0; i < photo.data.length; i++) {
    if (photo.data[i] === result.data[i]) continue;
    if ((i >> 2) % 400 >= 160) right++;
    else left++;
  }
  expect(right).toBe(0);
  expect(left).toBeGreaterThan(2000);
});

test('a 12-megapixel photo exports at 12 megapixels, every byte outside the edited square its own', async () => {
  const [width, height, edge] = [4000, 3000, 512];
  const data = new Uint8ClampedArray(4 * width * height);
  // detail without much entropy: what is measured is the size, not the compressor
  for (let i = 0; i < data.length; i++) data[i] = i % 4 === 3 ? 255 : 60 + ((i >> 5) % 89);
  const photo = { data, width, height };
  const { take: small } = await take();
  const { id } = await putImage(store, photo, 'large');
  const square = { x: 1900, y: 1300, size: edge };
  const edit = { ...small, recipe: { ...small.recipe, photo: { id, width, height }, square } };
  const png = await files.exportImage(edit, { format: 'png', quality: 90, recipe: true });
  const result = await decodeImage(new Uint8Array(await png.arrayBuffer()), 'large.png');
  expect([result.width, result.height]).toEqual([width, height]);
  let inside = 0;
  let outside = 0;
  for (let i = 0; i < data.length; i++) {
    if (data[i] === result.data[i]) continue;
    const [x, y] = [((i >> 2) % width) - square.x, Math.floor((i >> 2) / width) - square.y];
    if (x >= 0 && x < edge && y >= 0 && y < edge) inside++;
    else outside++;
  }
  expect(outside).toBe(0);
  // the disc's radius is 12.2 of 64 px
  expect(inside).toBeGreaterThan(2.5 * Math.PI * ((12.2 / 64) * edge) ** 2);
});

test('bitmaps and thumbnails fit the side that was asked for', async () => {
  const { take: edit } = await take();
  const bitmap = await files.bitmap(edit.recipe.photo.id, 100);
  expect([bitmap.width, bitmap.height]).toEqual([100, 75]);
  const whole = await files.bitmap(edit.recipe.photo.id, 1000);
  expect([whole.width, whole.height]).toEqual([400, 300]);
  const square = await files.stitchedSquare(edit, 1024);
  expect([square.width, square.height]).toEqual([200, 200]);
  const thumbnail = await createImageBitmap(await files.thumbnail(edit.square.id, 32));
  expect([thumbnail.width, thumbnail.height]).toEqual([32, 32]);
});

const bytesOf = (bitmap: ImageBitmap): Uint8ClampedArray => {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')!;
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
};

test('a step of a take is shown as the take would be if it were the last', async () => {
  const { take: edit } = await take();
  const [edited, source] = [
    await getImage(store, edit.square.id),
    await getImage(store, edit.reconstruction.id),
  ];
  const result = bytesOf(await files.stitchedSquare(edit, 1024));
  expect(bytesOf(await files.stitchedFrame(edit, edited, 1024))).toEqual(result);
  expect(bytesOf(await files.stitchedFrame(edit, source, 1024))).not.toEqual(result);
  const small = await files.stitchedFrame(edit, edited, 100);
  expect([small.width, small.height]).toEqual([100, 100]);
  const stored = await files.storePixels(edited, 'step 3');
  expect(stored).toEqual({ ...edit.square, name: 'step 3' });
});

test('garbage collection through the worker keeps what is reachable', async () => {
  const { take: edit } = await take();
  const keep = edit.recipe.photo.id;
  await files.collectGarbage([keep]);
  expect(await store.list()).toEqual([keep]);
});

test('a terminated worker fails its calls at once, and the next one finds what was stored', async () => {
  const { take: edit } = await take();
  const pending = worker.api.exportImage(edit, { format: 'png', quality: 90, recipe: true });
  worker.terminate();
  await expect(pending).rejects.toMatchObject({ code: 'WORKER_LOST' });
  expect((await worker.api.bitmap(edit.square.id, 64)).width).toBe(64);
});
