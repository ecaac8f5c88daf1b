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
