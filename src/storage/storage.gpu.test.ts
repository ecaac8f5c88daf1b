import { afterAll, expect, test } from 'vitest';
import { emptyDocument } from '../document/document';
import { folderBlobs } from './blobs';
import { projectDatabase } from './db';
import { folderTree, openModel } from './models';

const root = await navigator.storage.getDirectory();
const name = `test-${crypto.randomUUID()}`;
const folder = await root.getDirectoryHandle(name, { create: true });
const store = folderBlobs(async () => folder);
afterAll(() => root.removeEntry(name, { recursive: true }));

test('stores bytes under their hash, once, and leaves no parts behind', async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const [id, again] = await Promise.all([store.put(bytes), store.put(bytes)]);
  expect(again).toBe(id);
  expect(await store.get(id)).toEqual(bytes);
  expect((await store.file(id)).size).toBe(60_000);
  const names: string[] = [];
  for await (const entry of folder.keys()) names.push(entry);
  expect(names).toEqual([id]);
  expect(await store.list()).toEqual([id]);
  await store.delete(id);
  await store.delete(id);
  expect(await store.has(id)).toBe(false);
  await expect(store.get(id)).rejects.toMatchObject({ code: 'BAD_FILE' });
  await expect(store.get('../escape')).rejects.toMatchObject({ code: 'BAD_FILE' });
});

test('sweeping keeps a part that may still be written', async () => {
  await folder.getFileHandle('half.part', { create: true });
  await store.sweep();
  expect(await folder.getFileHandle('half.part')).toBeTruthy();
  expect(await store.list()).toEqual([]);
  await folder.removeEntry('half.part');
});

test('a folder of the browser is a model tree', async () => {
  const unet = await folder.getDirectoryHandle('unet', { create: true });
  const stream = await (await unet.getFileHandle('config.json', { create: true })).createWritable();
  await stream.write('{"a":1}');
  await stream.close();
  const tree = folderTree(folder, 'mine');
  const file = (await tree.open('unet/config.json'))!;
  expect(new TextDecoder().decode(await file.read(1, 4))).toBe('"a"');
  await expect(file.read(0, 8)).rejects.toMatchObject({ code: 'BAD_FILE' });
  expect(await tree.open('vae/config.json')).toBeNull();
  for (const id of ['none', '../blobs', '']) {
    await expect(openModel(id, document.baseURI)).rejects.toMatchObject({ code: 'UNSUPPORTED_MODEL' });
  }
});

test('projects are saved, listed latest first, and deleted', async () => {
  const db = projectDatabase(`test-${crypto.randomUUID()}`);
  const document = { ...emptyDocument, sourcePrompt: 'a cat' };
  await db.save({ id: 'a', name: 'First', updated: 1 }, emptyDocument);
  await db.save({ id: 'b', name: 'Second', updated: 2 }, emptyDocument);
  await db.save({ id: 'a', name: 'First again', updated: 3 }, document);
  expect((await db.list()).map((entry) => entry.name)).toEqual(['First again', 'Second']);
  expect(await db.load('a')).toEqual(document);
  expect(await db.documents()).toHaveLength(2);
  await db.delete('a');
  expect(await db.load('a')).toBeNull();
  expect(await db.list()).toHaveLength(1);
  await db.close();
});
