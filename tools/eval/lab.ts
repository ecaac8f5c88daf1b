import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createModel, type DiffusionModel, type ModelParts } from '../../src/diffusion/model';
import { loadImageEncoder, loadParts, memoryLimits, readModelInfo } from '../../src/engine/load-model';
import type { ImageEncoder } from '../../src/metrics/clip-image';
import { type Backend, openBackend } from '../../src/runtime/backend';
import { loadOrtNode } from '../../src/runtime/ort-node';
import { diskTree } from '../disk-tree';
import type { Recommended } from './settings';

/** A checkpoint opened for the evaluation. */
export interface Lab {
  readonly backend: Backend;
  readonly base: ModelParts;
  /** the frozen model, of `base` */
  readonly model: DiffusionModel;
  readonly encoder: ImageEncoder;
  readonly recommended: Recommended;
  readonly limits: { readonly total?: number; readonly tensor?: number };
  /** SHA-256 of its weights, so that results of two trainings never mix */
  readonly hash: string;
}

export async function openLab(folder: string, threads: number): Promise<Lab> {
  const tree = diskTree(folder);
  const backend = await openBackend('node', { load: loadOrtNode, threads });
  const base = await loadParts(tree, backend, 'float32');
  const limits = memoryLimits(backend);
  const encoder = await loadImageEncoder(tree, backend);
  return {
    backend,
    base,
    model: createModel(base, limits),
    encoder,
    recommended: await readModelInfo(tree),
    limits,
    hash: await hashOf(folder),
  };
}

/** SHA-256 (hex) of every weights file below a folder, with its path. */
async function hashOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const weights = files
    .filter((file) => file.isFile() && file.name.endsWith('.safetensors'))
    .map((file) => join(file.parentPath, file.name))
    .toSorted();
  for (const path of weights) {
    hash.update(relative(folder, path));
    await pipeline(createReadStream(path), hash, { end: false });
  }
  return hash.digest('hex');
}
