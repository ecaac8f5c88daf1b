import { type ByteSource, type FileTree, fileSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import { httpTree } from './http-tree';

/** A folder of the origin private file system, or any folder handle a person granted. */
export function folderTree(folder: FileSystemDirectoryHandle, name: string): FileTree {
  return {
    name,
    async open(path): Promise<ByteSource | null> {
      const parts = path.split('/');
      let at = folder;
      try {
        for (const part of parts.slice(0, -1)) at = await at.getDirectoryHandle(part);
        return fileSource(path, await (await at.getFileHandle(parts.at(-1)!)).getFile());
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
  };
}

const isMissing = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'NotFoundError';

/** The bundled model's id; its folder is served beside the page. */
const STARTER = 'starter';

/** Imported models, a folder each, named by id. */
export const modelsFolder = async (): Promise<FileSystemDirectoryHandle> =>
  (await navigator.storage.getDirectory()).getDirectoryHandle('models', { create: true });

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
    if (!MODEL_ID.test(id)) throw new DOMException(id, 'NotFoundError');
    return folderTree(await (await modelsFolder()).getDirectoryHandle(id), id);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new AppError('UNSUPPORTED_MODEL', `no model ${JSON.stringify(id)} is installed`, { id });
  }
}

const MODEL_ID = /^\w[\w.-]*$/;

/** An imported model as a list shows it. */
export interface StoredModel {
  readonly id: string;
  readonly label: string;
  /** of its files in storage */
  readonly bytes: number;
}

/** Written last: a folder without it is half a model. */
export const INDEX = 'model_index.json';

/** Whole models, by label; what an import that never ended left behind is removed. */
export async function listModels(folder: FileSystemDirectoryHandle): Promise<StoredModel[]> {
  const models: StoredModel[] = [];
  for await (const [id, handle] of folder.entries()) {
    if (handle.kind !== 'directory') continue;
    const model = await describe(id, handle as FileSystemDirectoryHandle);
    if (model) models.push(model);
    else await withModelLock(id, () => folder.removeEntry(id, { recursive: true }));
  }
  return models.sort((a, b) => a.label.localeCompare(b.label));
}

async function describe(id: string, folder: FileSystemDirectoryHandle): Promise<StoredModel | null> {
  const index = await folderTree(folder, id).open(INDEX);
  if (!index) return null;
  let name: unknown;
  try {
    ({ name } = JSON.parse(new TextDecoder().decode(await index.read(0, index.size))));
  } catch {
    // written when the page was closed
    return null;
  }
  return { id, label: String(name), bytes: await bytesIn(folder) };
}

async function bytesIn(folder: FileSystemDirectoryHandle): Promise<number> {
  let bytes = 0;
  for await (const handle of folder.values()) {
    if (handle.kind === 'directory') bytes += await bytesIn(handle as FileSystemDirectoryHandle);
    else bytes += (await (handle as FileSystemFileHandle).getFile()).size;
  }
  return bytes;
}

/** Nothing happens when it is gone already. */
export async function removeModel(folder: FileSystemDirectoryHandle, id: string): Promise<void> {
  await folder.removeEntry(id, { recursive: true }).catch((error) => {
    if (!isMissing(error)) throw error;
  });
}

/** Runs `work` unless a tab is writing this model. @returns whether it ran */
export const withModelLock = (id: string, work: () => Promise<void>): Promise<boolean> =>
  navigator.locks.request(`model ${id}`, { ifAvailable: true }, async (lock) => {
    if (lock) await work();
    return lock !== null;
  });
