import {
  isName,
  MAX_ENTRIES,
  type PickedFile,
  type PickedFolder,
  pickedFolder,
  tooMany,
} from './picked-folder';

/** Folders in folders below the chosen one: a collection has its models a level or two down, a model its parts one more. */
const MAX_DEPTH = 4;

/** What a folder lists: files, and folders to look into. */
interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  file(): Promise<Blob>;
  entries(): AsyncIterable<Entry>;
}

/** The model in a folder that the system's dialog gave. @throws AppError as `pickedFolder` */
export const folderOfHandle = (handle: FileSystemDirectoryHandle): Promise<PickedFolder> =>
  walk(handle.name, entryOfHandle(handle));

/** The model in a folder that was dropped. @throws AppError as `pickedFolder` */
export const folderOfDrop = (dropped: FileSystemDirectoryEntry): Promise<PickedFolder> =>
  walk(dropped.name, entryOfDrop(dropped));

/** The model in what a file field with `webkitdirectory` got. @throws AppError as `pickedFolder` */
export function folderOfFiles(files: readonly File[]): PickedFolder {
  const paths = files.map((file) => file.webkitRelativePath.split('/'));
  return pickedFolder(
    paths[0]?.[0] ?? 'folder',
    files.map((file, i) => ({ path: paths[i]!.slice(1).join('/'), file })),
  );
}

async function walk(name: string, root: Entry): Promise<PickedFolder> {
  const files: PickedFile[] = [];
  const visit = async (folder: Entry, at: string, depth: number): Promise<void> => {
    for await (const entry of folder.entries()) {
      if (!isName(entry.name)) continue;
      const path = at + entry.name;
      if (!entry.isFolder) files.push({ path, file: await entry.file() });
      else if (depth < MAX_DEPTH) await visit(entry, `${path}/`, depth + 1);
      if (files.length > MAX_ENTRIES) throw tooMany(name);
    }
  };
  await visit(root, '', 0);
  return pickedFolder(name, files);
}

const entryOfHandle = (handle: FileSystemHandle): Entry => ({
  name: handle.name,
  isFolder: handle.kind === 'directory',
  file: () => (handle as FileSystemFileHandle).getFile(),
  async *entries() {
    for await (const child of (handle as FileSystemDirectoryHandle).values()) yield entryOfHandle(child);
  },
});

const entryOfDrop = (entry: FileSystemEntry): Entry => ({
  name: entry.name,
  isFolder: entry.isDirectory,
  file: () => new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
  async *entries() {
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // a hundred at a time, then none
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (some.length === 0) return;
      for (const child of some) yield entryOfDrop(child);
    }
  },
});
