import { AppError } from './errors';

/** Random access to a file of known size, wherever it lives (OPFS, HTTP range, disk, memory). */
export interface ByteSource {
  /** for messages */
  readonly name: string;
  /** bytes */
  readonly size: number;
  /** Bytes [begin, end). @throws AppError BAD_FILE when the range lies outside the file */
  read(begin: number, end: number): Promise<Uint8Array>;
}

/** A folder of files, e.g. a checkpoint in the diffusers layout. Paths use '/'. */
export interface FileTree {
  readonly name: string;
  /** null when there is no such file */
  open(path: string): Promise<ByteSource | null>;
}

/** A file held in memory. `read` returns views on `bytes`, not copies. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(begin, end) {
      checkRange(name, bytes.length, begin, end);
      return bytes.subarray(begin, end);
    },
  };
}

/**
 * A file by reference, e.g. one that a person chose.
 *
 * A read throws AppError BAD_FILE when the file was changed or removed meanwhile.
 */
export function fileSource(name: string, file: Blob): ByteSource {
  return {
    name,
    size: file.size,
    async read(begin, end) {
      checkRange(name, file.size, begin, end);
      try {
        return new Uint8Array(await file.slice(begin, end).arrayBuffer());
      } catch (error) {
        throw new AppError('BAD_FILE', `${name} can no longer be read: ${(error as Error).message}`);
      }
    },
  };
}

/** Guard of every `read`. @throws AppError BAD_FILE when [begin, end) does not lie in a file of `size` bytes */
export function checkRange(name: string, size: number, begin: number, end: number): void {
  if (begin >= 0 && begin <= end && end <= size) return;
  throw new AppError('BAD_FILE', `${name} ends at byte ${size}, asked for ${begin} to ${end}`);
}
