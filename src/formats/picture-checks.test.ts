import sharp from 'sharp';
import { expect, test } from 'vitest';
import { pictureNotes } from '../document/picture-notes';
import { defaultSquare } from '../document/square';
import type { Pixels } from '../util/pixels';
import { checkPicture, suggestSquare } from './picture-checks';
import { resize } from './resize';

async function demo(name: string): Promise<Pixels> {
  const file = new URL(`../../public/demo/${name}`, import.meta.url).pathname;
  const { data, info } = await sharp(file).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data: new Uint8ClampedArray(data), width: info.width, height: info.height };
}

/** A checkered disc on plain ground. */
function disc(width: number, height: number, cx: number, cy: number, radius: number): Pixels {
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = Math.hypot(x - cx, y - cy) < radius;
      const light = ((x >> 3) + (y >> 3)) % 2 ? 200 : 60;
      data.set(inside ? [light, 40, 40] : [90, 120, 90], 4 * (y * width + x));
    }
  }
  return { data, width, height };
}

test('the suggested square is the largest one and holds the subject wherever it is', async () => {
  const right = await suggestSquare(disc(400, 200, 320, 100, 60));
  expect(right).toMatchObject({ y: 0, size: 200 });
  // to a pixel of what is looked at, four of the picture
  expect(right.x).toBeGreaterThanOrEqual(176);
  const top = await suggestSquare(disc(200, 400, 100, 70, 60));
  expect(top.y).toBeLessThanOrEqual(14);
  const middle = await suggestSquare(disc(400, 200, 200, 100, 60));
  expect(Math.abs(middle.x - 100)).toBeLessThanOrEqual(6);
  expect(await suggestSquare(disc(200, 200, 50, 50, 20))).toEqual({ x: 0, y: 0, size: 200 });
});

test('blurred and repeated pictures are told, in words, and good ones are not', async () => {
  const names = ['miso-1.jpg', 'miso-2.jpg', 'miso-3.jpg', 'miso-4.jpg'];
  const pictures = await Promise.all(names.map(demo));
  const [first, second] = pictures as [Pixels, Pixels];
  const again = await resize(first, 200, 200);
  const small = await resize(second, 24, 24);
  const blurred = await resize(small, second.width, second.height);
  const checks = await Promise.all(
    [...pictures, again, blurred].map((picture) => checkPicture(picture, defaultSquare(picture))),
  );
  expect(pictureNotes(checks)).toEqual([
    null,
    null,
    null,
    null,
    'nearly the same as picture 1',
    'nearly the same as picture 2',
  ]);
  expect(pictureNotes([checks.at(-1)!])).toEqual(['looks blurred']);
  expect(pictureNotes([null, checks[0]!])).toEqual([null, null]);
});
