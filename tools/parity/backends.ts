import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { openBackend } from '../../src/runtime/backend';
import type { BackendName } from '../../src/runtime/capabilities';
import { loadOrtNode } from '../../src/runtime/ort-node';
import { withBrowser } from '../harness/browser';
import { type ParityLine, parity } from './parity';
import type { run as parityInBrowser } from './parity.browser';
import { runWith } from './run-graph';

/** Compares one reference file. */
export type Compare = (path: string) => Promise<readonly ParityLine[]>;

/** How to compare on each backend; the browser ones start a headless Chromium. */
export const BACKENDS: Readonly<
  Record<BackendName, (use: (compare: Compare) => Promise<void>) => Promise<void>>
> = {
  node: async (use) => {
    const run = runWith(await openBackend('node', { load: loadOrtNode }));
    await use(async (path) => parity(basename(path), await readFile(path), run));
  },
  wasm: inBrowser('wasm'),
  webgpu: inBrowser('webgpu'),
};

function inBrowser(backend: 'wasm' | 'webgpu') {
  return (use: (compare: Compare) => Promise<void>): Promise<void> =>
    withBrowser((browser) =>
      use(async (path) =>
        browser.call<typeof parityInBrowser>('tools/parity/parity.browser.ts', {
          file: basename(path),
          bytes: new Uint8Array(await readFile(path)),
          backend,
        }),
      ),
    );
}
