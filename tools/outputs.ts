import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { AppError } from '../src/util/errors';

/**
 * Refuses a place where results cannot be written, before any work for them is done. Creates nothing.
 *
 * @param what  a folder or a file, which may exist or not, as may the folders above it
 * @throws AppError BAD_REQUEST in one line that names what is in the way
 */
export async function checkOutput(path: string, what: 'folder' | 'file'): Promise<void> {
  const refuse = (why: string): AppError => new AppError('BAD_REQUEST', `cannot write to ${path}: ${why}`);
  const found = await lookAt(path, refuse);
  if (what === 'file' && found?.isDirectory()) throw refuse('it is a folder');
  // the nearest folder that is there takes all others
  for (let at = resolve(what === 'file' ? dirname(path) : path); ; at = dirname(at)) {
    const above = await lookAt(at, refuse);
    if (!above) continue;
    if (!above.isDirectory()) throw refuse(`${at} is a file`);
    await access(at, constants.W_OK | constants.X_OK).catch(() => {
      throw refuse(`no permission to write in ${at}`);
    });
    return;
  }
}

/** null: nothing there */
const lookAt = (path: string, refuse: (why: string) => AppError) =>
  stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw refuse(error.code ?? error.message);
  });
