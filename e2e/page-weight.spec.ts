import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { modulesOf, SHELL_LIMIT_KB, shellSizes } from '../tools/page-weight';

/** Runs in the workers only (src/architecture.test.ts guards the imports; this guards what the bundler made of them). */
const ENGINE =
  /node_modules\/(onnxruntime|protobufjs|@huggingface)|\/src\/(onnx|autodiff|models|runtime|diffusion|training|personalization|steering|editing|metrics|engine|files)\//;

const dist = join(import.meta.dirname, '../dist');

test(`the page weighs at most ${SHELL_LIMIT_KB} kB compressed`, () => {
  const sizes = shellSizes(dist);
  console.table(sizes);
  expect(sizes.reduce((sum, { kB }) => sum + kB, 0)).toBeLessThanOrEqual(SHELL_LIMIT_KB);
});

test('nothing of the engine is in the main bundle', () => {
  const loaded = shellSizes(dist)
    .filter(({ file }) => file.endsWith('.js'))
    .flatMap(({ file }) => modulesOf(dist, file));
  expect(loaded.some((path) => path.includes('/src/main.tsx'))).toBe(true);
  expect(loaded.filter((path) => ENGINE.test(path))).toEqual([]);
});

test('ONNX Runtime is in a chunk of its own, from which it can start its threads', () => {
  const scripts = readdirSync(join(dist, 'assets')).filter((file) => file.endsWith('.js'));
  const holders = scripts.filter((file) =>
    modulesOf(dist, `assets/${file}`).some((path) => path.includes('node_modules/onnxruntime-web')),
  );
  expect(holders.length).toBeGreaterThan(0);
  for (const file of holders) {
    expect(modulesOf(dist, `assets/${file}`).filter((path) => !path.includes('node_modules/'))).toEqual([]);
  }
});
