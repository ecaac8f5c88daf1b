import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunOptions } from './settings';
import type { Method, VariantName } from './variants';

/** One edit to be made: everything that decides its picture. */
export interface Run {
  readonly pair: string;
  readonly concept: string;
  readonly method: Method;
  readonly variant: VariantName;
  readonly seed: number;
  readonly options: RunOptions;
}

/** One edit made and measured: a line of results.jsonl. */
export interface Line extends Run {
  /** also the name of its picture */
  readonly key: string;
  /** null: could not be measured, e.g. for lack of weights */
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly seconds: { readonly learn: number; readonly steer: number; readonly edit: number };
}

/** Short name of anything that JSON can say. */
export const keyOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 20);

/** Results in a folder: what is there is never made again. */
export interface Store {
  readonly folder: string;
  readonly lines: ReadonlyMap<string, Line>;
  add(line: Line): Promise<void>;
  picturePath(key: string): string;
  cachePath(kind: 'concept' | 'fit', key: string): string;
}

export async function openStore(folder: string): Promise<Store> {
  for (const name of ['pictures', 'cache']) await mkdir(join(folder, name), { recursive: true });
  const path = join(folder, 'results.jsonl');
  const text = await readFile(path, 'utf8').catch(() => '');
  const lines = new Map<string, Line>();
  for (const line of text.split('\n')) {
    const read = parse(line);
    if (read) lines.set(read.key, read);
  }
  if (text && !text.endsWith('\n')) await appendFile(path, '\n');
  return {
    folder,
    lines,
    async add(line) {
      await appendFile(path, `${JSON.stringify(line)}\n`);
      lines.set(line.key, line);
    },
    picturePath: (key) => join(folder, 'pictures', `${key}.png`),
    cachePath: (kind, key) => join(folder, 'cache', `${kind}-${key}.safetensors`),
  };
}

/** A line that was cut off by an interruption is no result. */
function parse(text: string): Line | null {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}
