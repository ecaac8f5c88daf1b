import { open } from 'node:fs/promises';
import { basename, resolve, sep } from 'node:path';
import { checkRange, type FileTree } from '../src/util/byte-source';
import { AppError } from '../src/util/errors';

/** A folder on disk, read by ranges. Files stay closed between reads: nothing to release. */
export function diskTree(folder: string): FileTree {
  const root = resolve(folder);
  return {
    name: basename(root),
    async open(path) {
      const file = resolve(root, path);
      if (!file.startsWith(root + sep)) throw new AppError('BAD_FILE', `${path} lies outside ${folder}`);
      const size = await open(file)
        .then(async (handle) => {
          const stat = await handle.stat();
          await handle.close();
          return stat.isFile() ? stat.size : null;
        })
        .catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
          throw new AppError('BAD_FILE', `cannot read ${file}: ${error.code}`);
        });
      if (size === null) return null;
      return {
        name: path,
        size,
        async read(begin, end) {
          checkRange(path, size, begin, end);
          const bytes = new Uint8Array(end - begin);
          const handle = await open(file);
          try {
            for (let at = 0; at < bytes.length; ) {
              const { bytesRead } = await handle.read(bytes, at, bytes.length - at, begin + at);
              if (bytesRead === 0) throw new AppError('BAD_FILE', `${path} became shorter while it was read`);
              at += bytesRead;
            }
          } finally {
            await handle.close();
          }
          return bytes;
        },
      };
    },
  };
}
