import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkOutput } from './outputs';

let folder = '';
let file = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outputs-'));
  file = join(folder, 'a.txt');
  await writeFile(file, '');
  await mkdir(join(folder, 'there'));
});
afterAll(() => rm(folder, { recursive: true }));

test('what is there or can be made is taken, and nothing is made', async () => {
  for (const name of ['', 'there', 'new', 'new/and/deeper']) await checkOutput(join(folder, name), 'folder');
  for (const name of ['a.txt', 'b.txt', 'new/b.txt']) await checkOutput(join(folder, name), 'file');
  expect((await readdir(folder)).sort()).toEqual(['a.txt', 'there']);
});

test.each([
  ['folder', 'a.txt', 'a.txt is a file'],
  ['folder', 'a.txt/below', 'a.txt is a file'],
  ['folder', 'a.txt/far/below', 'a.txt is a file'],
  ['file', 'a.txt/b.txt', 'a.txt is a file'],
  ['file', 'there', 'it is a folder'],
  ['folder', 'x'.repeat(300), 'ENAMETOOLONG'],
] as const)('a %s at %s is refused: %s', async (what, name, why) => {
  const checked = checkOutput(join(folder, name), what);
  await expect(checked).rejects.toThrowError(expect.objectContaining({ code: 'BAD_REQUEST' }));
  await expect(checked).rejects.toThrow(why);
});

test.skipIf(process.getuid?.() === 0)('a folder without permission is refused', async () => {
  const locked = join(folder, 'locked');
  await mkdir(locked, { mode: 0o500 });
  await expect(checkOutput(join(locked, 'out'), 'folder')).rejects.toThrow('no permission');
});
