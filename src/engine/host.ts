import type { BlobId, ImageRef } from '../document/document';
import type { Backend } from '../runtime/backend';
import type { BackendName, Capabilities } from '../runtime/capabilities';
import type { FileTree } from '../util/byte-source';
import type { Pixels } from '../util/pixels';

/** What the person wants it to run on. */
export interface RunsOn {
  /** absent: the best that works */
  readonly backend?: BackendName;
  /** bytes of the graphics card's memory to count on; absent: 4 GiB */
  readonly gpuMemory?: number;
}

/** What the engine needs from where it runs: a browser's worker or Node. The engine itself touches neither. */
export interface EngineHost {
  /** Open the best backend that works here, or the one that is asked for, once. */
  startBackend(on?: RunsOn): Promise<{ readonly backend: Backend; readonly capabilities: Capabilities }>;
  /** @throws AppError UNSUPPORTED_MODEL when no model has this id */
  openModel(id: string): Promise<FileTree>;
  /** @throws AppError BAD_FILE when nothing is stored under the id */
  readImage(id: BlobId): Promise<Pixels>;
  /** Returns after the bytes are safe. @throws AppError STORAGE_FULL */
  writeImage(pixels: Pixels, name: string): Promise<ImageRef>;
  /** @throws AppError BAD_FILE when nothing is stored under the id */
  readBytes(id: BlobId): Promise<Uint8Array<ArrayBuffer>>;
  /** Returns after the bytes are safe. @throws AppError STORAGE_FULL */
  writeBytes(bytes: Uint8Array<ArrayBuffer>): Promise<BlobId>;
  /** Forget bytes that this job wrote, e.g. an older checkpoint; nothing happens when they are gone. */
  deleteBytes(id: BlobId): Promise<void>;
}
