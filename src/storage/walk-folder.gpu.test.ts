import { afterAll, expect, test } from 'vitest';
import { MAX_ENTRIES } from './picked-folder';
import { folderOfFiles, folderOfHandle } from './walk-folder';

const root = await navigator.storage.getDirectory();
const name = `walk-${crypto.randomUUID()}`;
const folder = await root.getDirectoryHandle(name, { create: true });
afterAll(() => root.removeEntry(name, { recursive: true }));

async function put(path: string, at = folder): Promise<void> {
  const parts = path.split('/');
  let to = at;
  for (const part of parts.slice(0, -1)) to = await to.getDirectoryHandle(part, { create: true });
  const stream = await (await to.getFileHandle(parts.at(-1)!, { create: true })).createWritable();
  await stream.write(path);
  await stream.close();
}

test('a folder is listed with what lies in its folders, but nothing hidden and nothing too deep', async () => {
  for (const path of ['unet/config.json', 'model_index.json', '.git/objects/a', 'a/b/c/d/e/f/too-deep'])
    await put(path);
  const { files } = await folderOfHandle(folder);
  expect(files.map(({ path }) => path).sort()).toEqual(['model_index.json', 'unet/config.json']);
  expect(await files.find(({ path }) => path === 'unet/config.json')!.file.text()).toBe('unet/config.json');
});

test('one of more files than a model has is given up', async () => {
  const many = await folder.getDirectoryHandle('many', { create: true });
  for (let i = 0; i <= MAX_ENTRIES; i++) await many.getFileHandle(`${i}`, { create: true });
  await expect(folderOfHandle(many)).rejects.toMatchObject({ code: 'TOO_BIG' });
});

test('a file field names its folder in every path', () => {
  const file = (path: string): File =>
    Object.defineProperty(new File(['x'], 'x'), 'webkitRelativePath', { value: path });
  const picked = folderOfFiles([file('sd/unet/config.json'), file('sd/model_index.json'), file('sd/../x')]);
  expect(picked).toMatchObject({
    name: 'sd',
    files: [{ path: 'unet/config.json' }, { path: 'model_index.json' }],
  });
});
