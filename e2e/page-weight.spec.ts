import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';

/** What a visitor waits for before the page shows: index.html and all it loads without a dynamic import or a worker. */
const LIMIT_KB = 320;
/** Runs in the workers only (src/architecture.test.ts guards the imports; this guards what the bundler made of them). */
const ENGINE =
  /node_modules\/(onnxruntime|protobufjs|@huggingface)|\/src\/(onnx|autodiff|models|runtime|diffusion|training|personalization|steering|editing|metrics|engine|files)\//;

const dist = new URL('../dist/', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, dist));

interface Chunk {
  readonly file: string;
  readonly imports?: readonly string[];
  readonly css?: readonly string[];
}

/** Files of the build that `index.html` needs at once. */
function shell(): readonly string[] {
  const chunks = JSON.parse(read('.vite/manifest.json').toString()) as Record<string, Chunk>;
  const files = new Set(['index.html']);
  const add = (key: string) => {
    const { file, imports = [], css = [] } = chunks[key]!;
    if (files.has(file)) return;
    for (const path of [file, ...css]) files.add(path);
    imports.forEach(add);
  };
  add('index.html');
  return [...files];
}

const modules = (file: string): readonly string[] =>
  (JSON.parse(read(`${file}.map`).toString()) as { sources: string[] }).sources;

test(`the page weighs at most ${LIMIT_KB} kB compressed`, () => {
  const sizes = shell().map((file) => ({ file, kB: gzipSync(read(file)).length / 1000 }));
  console.table(sizes);
  expect(sizes.reduce((sum, { kB }) => sum + kB, 0)).toBeLessThanOrEqual(LIMIT_KB);
});

test('nothing of the engine is in the main bundle', () => {
  const loaded = shell()
    .filter((file) => file.endsWith('.js'))
    .flatMap(modules);
  expect(loaded.some((path) => path.includes('/src/main.tsx'))).toBe(true);
  expect(loaded.filter((path) => ENGINE.test(path))).toEqual([]);
});

test('ONNX Runtime is in a chunk of its own, from which it can start its threads', () => {
  const scripts = readdirSync(new URL('assets/', dist)).filter((file) => file.endsWith('.js'));
  const holders = scripts.filter((file) =>
    modules(`assets/${file}`).some((path) => path.includes('node_modules/onnxruntime-web')),
  );
  expect(holders.length).toBeGreaterThan(0);
  for (const file of holders) {
    expect(modules(`assets/${file}`).filter((path) => !path.includes('node_modules/'))).toEqual([]);
  }
});
