import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelFolder, tinyModelFiles } from '../../e2e/tiny-model';
import { psnr } from '../../src/metrics/psnr';
import type { BackendName } from '../../src/runtime/capabilities';
import type { Pixels } from '../../src/util/pixels';
import { findChromium } from '../chromium';
import { readImage } from '../images';

const root = resolve(import.meta.dirname, '../..');
let folder = '';
let model = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backends-'));
  model = await modelFolder(await tinyModelFiles());
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await rm(dirname(model), { recursive: true });
});

/** One step of the demo through the command, on a model of random weights and without guidance: few shaders to compile. */
async function edit(backend: BackendName, seed: number): Promise<Pixels> {
  const out = join(folder, `${backend}-${seed}`);
  const short = ['--steps', '1', '--option', 'maskSteps=1', '--guidance', '1', '--model', model];
  const chosen = ['--backend', backend, '--seed', String(seed), '--out', out];
  const args = ['--import', 'tsx', 'tools/edit.ts', '--demo', ...short, ...chosen];
  await promisify(execFile)(process.execPath, args, { cwd: root });
  const metrics = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8'));
  expect(metrics.backend).toBe(backend);
  return readImage(join(out, 'square.png'));
}

test.skipIf(!findChromium())(
  'the browser backends make the edit that Node makes',
  async () => {
    const node = await edit('node', 3);
    expect(psnr(node, await edit('node', 4))).toBeLessThan(50);
    for (const backend of ['wasm', 'webgpu'] as const) {
      // rounded to 8 bit, a level here and there may differ
      expect(psnr(node, await edit(backend, 3)), backend).toBeGreaterThan(60);
    }
  },
  900_000,
);
