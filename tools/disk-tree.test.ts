import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diskTree } from './disk-tree';

test('reads files by range, misses politely and stays inside its folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tree-'));
  try {
    await mkdir(join(folder, 'model', 'unet'), { recursive: true });
    await writeFile(join(folder, 'secret'), 'x');
    await writeFile(join(folder, 'model', 'unet', 'a.bin'), Uint8Array.of(0, 1, 2, 3, 4));
    const tree = diskTree(join(folder, 'model'));
    const file = (await tree.open('unet/a.bin'))!;
    expect(file.size).toBe(5);
    expect(await file.read(1, 3)).toEqual(Uint8Array.of(1, 2));
    await expect(file.read(4, 6)).rejects.toMatchObject({ code: 'BAD_FILE' });
    expect(await tree.open('unet/b.bin')).toBeNull();
    expect(await tree.open('unet/a.bin/c')).toBeNull();
    expect(await tree.open('unet')).toBeNull();
    await expect(tree.open('../secret')).rejects.toMatchObject({ code: 'BAD_FILE' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
