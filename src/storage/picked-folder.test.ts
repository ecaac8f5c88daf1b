import { expect, test } from 'vitest';
import { MAX_ENTRIES, type PickedFile, pickedFolder, pickedTree } from './picked-folder';

const file = (path: string, text = path): PickedFile => ({ path, file: new Blob([text]) });
const paths = (files: readonly PickedFile[]): string[] => files.map(({ path }) => path).sort();

test('a model is found in the chosen folder or in the one folder below it that holds one', () => {
  const own = ['model_index.json', 'unet/config.json', 'vae/config.json'].map((path) => file(path));
  expect(pickedFolder('sd', own)).toMatchObject({ name: 'sd' });
  const below = own.map(({ path, file: it }) => ({ path: `snapshots/abc/${path}`, file: it }));
  const found = pickedFolder('models--sd', [...below, file('README.md')]);
  expect(found.name).toBe('abc');
  expect(paths(found.files)).toEqual(paths(own));
});

test('a folder of several models is refused by their names, one with a model and more below is that model', () => {
  const two = ['b/unet/config.json', 'a/unet/config.json'].map((path) => file(path));
  expect(() => pickedFolder('all', two)).toThrow(/all holds 2 models \(a, b\)/);
  expect(pickedFolder('all', [...two, file('unet/config.json')]).name).toBe('all');
});

test('what is no model stays as it is: what it lacks is told when it is checked', () => {
  expect(paths(pickedFolder('holiday', [file('1.jpg'), file('sub/2.jpg')]).files)).toEqual([
    '1.jpg',
    'sub/2.jpg',
  ]);
});

test('paths that lead out of the folder are left out', () => {
  const hostile = [
    '../unet/config.json',
    '/etc/passwd',
    'unet/../../x',
    'unet\\..\\x',
    'c:/x',
    './x',
    'a//b',
  ];
  expect(
    pickedFolder(
      'sd',
      hostile.map((path) => file(path)),
    ).files,
  ).toEqual([]);
});

test('a folder of more files than a model has is refused unread', () => {
  const many = Array.from({ length: MAX_ENTRIES + 1 }, (_, i) => file(`${i}.txt`));
  expect(() => pickedFolder('drive', many)).toThrow(expect.objectContaining({ code: 'TOO_BIG' }));
});

test('as a tree its files are read by ranges, and nothing else is there', async () => {
  const tree = pickedTree(pickedFolder('sd', [file('unet/config.json', '{"a":1}')]));
  const source = (await tree.open('unet/config.json'))!;
  expect(source.size).toBe(7);
  expect(new TextDecoder().decode(await source.read(1, 4))).toBe('"a"');
  await expect(source.read(0, 8)).rejects.toMatchObject({ code: 'BAD_FILE' });
  expect(await tree.open('../unet/config.json')).toBeNull();
  expect(await tree.open('toString')).toBeNull();
});
