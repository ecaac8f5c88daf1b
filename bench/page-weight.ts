import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { SHELL_LIMIT_KB, shellSizes } from '../tools/page-weight';
import type { Bench } from './measure';

/** A fresh production build: what a visitor waits for before the page shows, without ONNX Runtime's WebAssembly. */
export const pageWeight: Bench = async () => {
  const root = join(import.meta.dirname, '..');
  const dist = await mkdtemp(join(tmpdir(), 'page-weight-'));
  try {
    await build({
      root,
      configFile: join(root, 'vite.config.ts'),
      logLevel: 'warn',
      build: { outDir: dist, emptyOutDir: true, copyPublicDir: false },
    });
    const sizes = shellSizes(dist);
    const kinds = { scripts: /\.js$/, styles: /\.css$/, page: /\.html$/ };
    const sum = (kind: RegExp): number =>
      sizes.filter(({ file }) => kind.test(file)).reduce((total, { kB }) => total + kB, 0);
    return [
      {
        name: 'shell, compressed',
        value: sum(/./),
        unit: 'kB',
        target: SHELL_LIMIT_KB,
        note: `${sizes.length} files`,
      },
      ...Object.entries(kinds).map(([kind, pattern]) => ({
        name: `of which ${kind}`,
        value: sum(pattern),
        unit: 'kB' as const,
      })),
    ];
  } finally {
    await rm(dist, { recursive: true, force: true });
  }
};
