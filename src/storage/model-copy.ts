import type { ByteSource, FileTree } from '../util/byte-source';
import { sha256 } from '../util/digest';
import { AppError } from '../util/errors';
import { INDEX, listModels, removeModel, type StoredModel, withModelLock } from './models';
import { checkRoom, storageFull } from './quota';
import { openWriter, writeFile } from './write-file';

/** Read and written at a time, bytes: what a cancelled copy still does. */
const CHUNK = 8 << 20;
/** The largest Stable Diffusion in single precision has 6 GB. */
const MAX_MODEL = 16 * 2 ** 30;
/** Of each file, for a model's id: so many pieces of this size, bytes, evenly spread. */
const SAMPLES = 16;
const SAMPLE = 64 << 10;

export type CopyEvent =
  | { readonly kind: 'copied'; readonly bytes: number; readonly total: number }
  | { readonly kind: 'result'; readonly value: StoredModel; readonly known: boolean };

/**
 * Copy a model that was checked into storage, whole or not at all. A model that is there already is not copied again.
 *
 * @param folder  `modelsFolder()`
 * @param paths   the files that make up the model; `model_index.json` among them
 * @throws AppError STORAGE_FULL before anything is written where that can be told; TOO_BIG; BAD_FILE; AbortError
 */
export async function* copyModel(
  folder: FileSystemDirectoryHandle,
  tree: FileTree,
  paths: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<CopyEvent, void> {
  const files = await Promise.all(paths.map((path) => opened(tree, path)));
  const total = files.reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_MODEL) {
    throw new AppError(
      'TOO_BIG',
      `${tree.name} has ${(total / 1e9).toFixed(1)} GB; up to ${(MAX_MODEL / 1e9).toFixed(1)} GB are opened`,
    );
  }
  const hash = await modelHash(files);
  const before = (await listModels(folder)).find(({ id }) => id.endsWith(`-${hash}`));
  if (before) return yield { kind: 'result', value: before, known: true };
  await checkRoom(total);

  const id = `${slug(tree.name)}-${hash}`;
  const release = await holdModelLock(id);
  let whole = false;
  try {
    const target = await folder.getDirectoryHandle(id, { create: true });
    let bytes = 0;
    for (const file of files.filter(({ name }) => name !== INDEX)) {
      for await (const written of copyFile(target, file, signal)) {
        bytes += written;
        yield { kind: 'copied', bytes, total };
      }
    }
    const label = await writeIndex(target, files.find(({ name }) => name === INDEX)!, tree.name);
    whole = true;
    yield { kind: 'result', value: { id, label, bytes: total }, known: false };
  } catch (error) {
    throw await storageFull(error, total);
  } finally {
    if (!whole) await removeModel(folder, id);
    release();
  }
}

async function opened(tree: FileTree, path: string): Promise<ByteSource> {
  const file = await tree.open(path);
  if (!file) throw new AppError('BAD_FILE', `${tree.name} has no ${path}`);
  return file;
}

/** Yields how many bytes it wrote after each piece. */
async function* copyFile(
  folder: FileSystemDirectoryHandle,
  file: ByteSource,
  signal: AbortSignal,
): AsyncGenerator<number, void> {
  const parts = file.name.split('/');
  let at = folder;
  for (const part of parts.slice(0, -1)) at = await at.getDirectoryHandle(part, { create: true });
  const writer = await openWriter(await at.getFileHandle(parts.at(-1)!, { create: true }));
  try {
    for (let begin = 0; begin < file.size; begin += CHUNK) {
      signal.throwIfAborted();
      const bytes = await read(file, begin, Math.min(begin + CHUNK, file.size));
      await writer.write(bytes);
      yield bytes.length;
    }
  } finally {
    await writer.close();
  }
}

const read = async (file: ByteSource, begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await file.read(begin, end));

/** The folder's own index, which names the model from here on. @returns the name */
async function writeIndex(
  folder: FileSystemDirectoryHandle,
  file: ByteSource,
  fallback: string,
): Promise<string> {
  const index = JSON.parse(new TextDecoder().decode(await file.read(0, file.size))) as { name?: unknown };
  const name =
    typeof index.name === 'string' && index.name.trim() ? index.name.trim().slice(0, 80) : fallback;
  const text = JSON.stringify({ ...index, name }, null, 2);
  await writeFile(
    await folder.getFileHandle(INDEX, { create: true }),
    new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>,
  );
  return name;
}

/** The same for the same files wherever they lie: names, sizes and samples; gigabytes are not read twice. */
async function modelHash(files: readonly ByteSource[]): Promise<string> {
  const parts: (string | Uint8Array<ArrayBuffer>)[] = [];
  for (const file of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    parts.push(JSON.stringify([file.name, file.size]));
    const last = Math.max(0, file.size - SAMPLE);
    const begins = new Set(Array.from({ length: SAMPLES }, (_, i) => Math.floor((last * i) / (SAMPLES - 1))));
    for (const begin of begins) parts.push(await read(file, begin, Math.min(begin + SAMPLE, file.size)));
  }
  return (await sha256(parts)).slice(0, 12);
}

/** 'Stable Diffusion v1.5' → 'stable-diffusion-v1.5' */
const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 40) || 'model';

/** @returns what gives it back @throws AppError BAD_REQUEST when a tab holds it */
function holdModelLock(id: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    withModelLock(id, () => new Promise<void>((release) => resolve(release))).then((ran) => {
      if (!ran) reject(new AppError('BAD_REQUEST', 'this model is being opened in another tab'));
    }, reject);
  });
}
