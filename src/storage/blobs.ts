import type { BlobId } from '../document/document';
import { sha256 } from '../util/digest';
import { AppError } from '../util/errors';
import { storageFull } from './quota';
import { writeFile } from './write-file';

/** Immutable bytes by content id: lower-case hex SHA-256. What was put once is never written again. */
export interface BlobStore {
  /** Stores the bytes whole or not at all. @throws AppError STORAGE_FULL */
  put(bytes: Uint8Array<ArrayBuffer>): Promise<BlobId>;
  /** @throws AppError BAD_FILE when nothing is stored under `id` */
  get(id: BlobId): Promise<Uint8Array<ArrayBuffer>>;
  /** The same by reference, for saving or reading in part. @throws AppError BAD_FILE */
  file(id: BlobId): Promise<Blob>;
  has(id: BlobId): Promise<boolean>;
  delete(id: BlobId): Promise<void>;
  list(): Promise<BlobId[]>;
  /** Removes what interrupted writes left behind. */
  sweep(): Promise<void>;
}

/** Lower-case hex SHA-256. */
export const contentId = (bytes: Uint8Array<ArrayBuffer>): Promise<BlobId> => sha256([bytes]);

const ID = /^[0-9a-f]{64}$/;
const missing = (id: BlobId): AppError =>
  new AppError('BAD_FILE', `nothing is stored under ${JSON.stringify(id.slice(0, 64))}`);

/** Of a young standard that TypeScript's DOM library does not have. */
type Movable = FileSystemFileHandle & { move(name: string): Promise<void> };

/** Ending of a file that is not whole yet. */
const PART = '.part';
/** A part this old, ms, has no writer any more. */
const STALE = 3_600_000;

/** A store in a folder of the origin private file system. */
export function folderBlobs(open: () => Promise<FileSystemDirectoryHandle>): BlobStore {
  const file = async (id: BlobId): Promise<File> => {
    if (!ID.test(id)) throw missing(id);
    try {
      return await (await (await open()).getFileHandle(id)).getFile();
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') throw missing(id);
      throw error;
    }
  };
  const has = (id: BlobId): Promise<boolean> =>
    file(id).then(
      () => true,
      (error) => {
        if (error instanceof AppError) return false;
        throw error;
      },
    );

  return {
    async put(bytes) {
      const id = await contentId(bytes);
      if (await has(id)) return id;
      const folder = await open();
      const name = `${crypto.randomUUID()}${PART}`;
      try {
        const part = (await folder.getFileHandle(name, { create: true })) as Movable;
        await writeFile(part, bytes);
        await part.move(id);
      } catch (error) {
        await folder.removeEntry(name).catch(() => {});
        // Another tab may have stored the same bytes meanwhile.
        if (await has(id)) return id;
        throw await storageFull(error, bytes.length);
      }
      return id;
    },
    get: async (id) => new Uint8Array(await (await file(id)).arrayBuffer()),
    file,
    has,
    async delete(id) {
      if (await has(id)) await (await open()).removeEntry(id);
    },
    async list() {
      const ids: BlobId[] = [];
      for await (const name of (await open()).keys()) if (ID.test(name)) ids.push(name);
      return ids;
    },
    async sweep() {
      const folder = await open();
      for await (const [name, handle] of folder.entries()) {
        if (handle.kind !== 'file' || !name.endsWith(PART)) continue;
        const { lastModified } = await (handle as FileSystemFileHandle).getFile();
        if (Date.now() - lastModified > STALE) await folder.removeEntry(name);
      }
    },
  };
}

/** The studio's pictures: folder `blobs` of the origin private file system. */
export const opfsBlobs = (): BlobStore =>
  folderBlobs(async () =>
    (await navigator.storage.getDirectory()).getDirectoryHandle('blobs', { create: true }),
  );

/** A store that lives as long as the process: for the command line. */
export function memoryBlobs(): BlobStore {
  const blobs = new Map<BlobId, Uint8Array<ArrayBuffer>>();
  const get = async (id: BlobId): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = blobs.get(id);
    if (!bytes) throw missing(id);
    return bytes;
  };
  return {
    async put(bytes) {
      const id = await contentId(bytes);
      blobs.set(id, bytes.slice());
      return id;
    },
    get: async (id) => (await get(id)).slice(),
    file: async (id) => new Blob([await get(id)]),
    has: async (id) => blobs.has(id),
    async delete(id) {
      blobs.delete(id);
    },
    list: async () => [...blobs.keys()],
    sweep: async () => {},
  };
}
