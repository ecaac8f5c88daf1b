import { type ByteSource, checkRange, type FileTree } from '../util/byte-source';
import { AppError } from '../util/errors';
import { httpTree } from './http-tree';

/** A folder of the origin private file system, or any folder handle a person granted. */
export function folderTree(folder: FileSystemDirectoryHandle, name: string): FileTree {
  return {
    name,
    async open(path): Promise<ByteSource | null> {
      const parts = path.split('/');
      let at = folder;
      let file: File;
      try {
        for (const part of parts.slice(0, -1)) at = await at.getDirectoryHandle(part);
        file = await (await at.getFileHandle(parts.at(-1)!)).getFile();
      } catch (error) {
        if (error instanceof DOMException && error.name === 'NotFoundError') return null;
        throw error;
      }
      return {
        name: path,
        size: file.size,
        async read(begin, end) {
          checkRange(path, file.size, begin, end);
          return new Uint8Array(await file.slice(begin, end).arrayBuffer());
        },
      };
    },
  };
}

/** The bundled model's id; its folder is served beside the page. */
const STARTER = 'starter';

/**
 * The folder of a model: the bundled one over HTTP, an imported one from storage.
 *
 * @param siteRoot address of the folder that index.html lies in, e.g. `document.baseURI`; workers are told, because
 *   their own address does not say
 * @throws AppError UNSUPPORTED_MODEL when no model has this id
 */
export async function openModel(id: string, siteRoot: string): Promise<FileTree> {
  if (id === STARTER) return httpTree(new URL(`models/${STARTER}/`, siteRoot), STARTER);
  try {
    if (!/^[\w.-]+$/.test(id)) throw new DOMException(id, 'NotFoundError');
    const models = await (await navigator.storage.getDirectory()).getDirectoryHandle('models');
    return folderTree(await models.getDirectoryHandle(id), id);
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'NotFoundError') throw error;
    throw new AppError('UNSUPPORTED_MODEL', `no model ${JSON.stringify(id)} is installed`, { id });
  }
}
