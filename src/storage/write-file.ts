// Parts of the DOM's worker library that TypeScript's DOM library does not have.
interface SyncAccessHandle {
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}
type FileHandle = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncAccessHandle> };

export interface Writer {
  /** The next bytes of the file, all of them. @throws DOMException QuotaExceededError */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Until then nobody else can open the file. */
  close(): Promise<void>;
}

/** Writes a file of the origin private file system from its beginning. What an error leaves is the caller's to remove. */
export async function openWriter(file: FileSystemFileHandle): Promise<Writer> {
  const handle: FileHandle = file;
  if (!handle.createSyncAccessHandle) {
    const stream = await handle.createWritable();
    return { write: (bytes) => stream.write(bytes), close: () => stream.close() };
  }
  const access = await handle.createSyncAccessHandle();
  let at = 0;
  return {
    async write(bytes) {
      for (let from = 0; from < bytes.length; ) {
        const written = access.write(bytes.subarray(from), { at });
        // Some browsers write less than asked instead of throwing when the quota is reached.
        if (written <= 0) throw new DOMException('no bytes written', 'QuotaExceededError');
        from += written;
        at += written;
      }
    },
    async close() {
      access.flush();
      access.close();
    },
  };
}

/** A whole file at once. */
export async function writeFile(file: FileSystemFileHandle, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const writer = await openWriter(file);
  try {
    await writer.write(bytes);
  } finally {
    await writer.close();
  }
}
