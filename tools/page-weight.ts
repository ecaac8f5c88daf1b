/** What the built page weighs before it shows, from the build's manifest and source maps. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** What a visitor may wait for, compressed: the shell, without ONNX Runtime's WebAssembly. */
export const SHELL_LIMIT_KB = 320;

interface Chunk {
  readonly file: string;
  readonly imports?: readonly string[];
  readonly css?: readonly string[];
}

/**
 * @param dist  folder of the build
 * @returns index.html and all it loads without a dynamic import or a worker, in kB (1000 bytes) of gzip
 */
export function shellSizes(dist: string): readonly { readonly file: string; readonly kB: number }[] {
  const chunks = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8')) as Record<string, Chunk>;
  const files = new Set(['index.html']);
  const add = (key: string): void => {
    const { file, imports = [], css = [] } = chunks[key]!;
    if (files.has(file)) return;
    for (const path of [file, ...css]) files.add(path);
    imports.forEach(add);
  };
  add('index.html');
  return [...files].map((file) => ({ file, kB: gzipSync(readFileSync(join(dist, file))).length / 1000 }));
}

/** Paths of the modules in a script of the build. */
export const modulesOf = (dist: string, file: string): readonly string[] =>
  (JSON.parse(readFileSync(join(dist, `${file}.map`), 'utf8')) as { sources: string[] }).sources;
