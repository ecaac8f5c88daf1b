import { expect, test } from 'vitest';
import { emptyDocument } from '../document/document';
import { contentId, memoryBlobs } from './blobs';
import { collectGarbage, reachableBlobs } from './gc';
import { getImage, putImage } from './images';
import { storageFull } from './quota';

test('content ids are SHA-256', async () => {
  expect(await contentId(new TextEncoder().encode('abc'))).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('a picture comes back pixel for pixel, also what is invisible', async () => {
  const store = memoryBlobs();
  const pixels = { data: Uint8ClampedArray.from([1, 2, 3, 0, 250, 251, 252, 255]), width: 2, height: 1 };
  const ref = await putImage(store, pixels, 'two.png');
  expect(ref).toMatchObject({ name: 'two.png', width: 2, height: 1 });
  expect(await getImage(store, ref.id)).toEqual(pixels);
  // The same id wherever the program runs: it is part of every recipe.
  expect(ref.id).toBe('b8a73e11a133aa950b6d6ddabffbdd187cc8db74eb84fc1b476218f139d5d231');
});

test('bytes that are not a stored picture are refused', async () => {
  const store = memoryBlobs();
  for (const text of ['', 'P7\nWIDTH 999999\nHEIGHT 999999\n', '<!doctype html>']) {
    const id = await store.put(new TextEncoder().encode(text));
    await expect(getImage(store, id)).rejects.toMatchObject({ code: 'BAD_FILE' });
  }
  await expect(getImage(store, 'f'.repeat(64))).rejects.toMatchObject({ code: 'BAD_FILE' });
});

test('garbage collection keeps every id that a document names', async () => {
  const store = memoryBlobs();
  const put = (n: number) => store.put(Uint8Array.of(n));
  const [photo, square, dead] = [await put(1), await put(2), await put(3)];
  const document = {
    ...emptyDocument,
    photo: { id: photo, name: 'p', width: 1, height: 1 },
    takes: [{ square: { id: square } }],
  };
  expect(await collectGarbage(store, reachableBlobs(document))).toEqual([dead]);
  expect((await store.list()).sort()).toEqual([photo, square].sort());
});

test('only a quota error becomes STORAGE_FULL', async () => {
  expect(await storageFull(new DOMException('x', 'QuotaExceededError'), 4e9)).toMatchObject({
    code: 'STORAGE_FULL',
    message: expect.stringContaining('4.00 GB'),
  });
  const other = new DOMException('x', 'NotFoundError');
  expect(await storageFull(other, 4e9)).toBe(other);
});
