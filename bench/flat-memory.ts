import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadOrtNode } from '../src/runtime/ort-node';
import { type HarnessBrowser, withBrowser } from '../tools/harness/browser';
import { createEdits } from './edits';
import type { run as editInBrowser } from './edits.browser';
import type { Bench, Measurement } from './measure';

/** Growth, %, from the end of the warm-up to the end of all edits; ± 2 is flat. */
const TARGET = 2;
const MB = 1e6;

export const flatMemory: Bench = async () => [
  ...(await onNode(500)),
  ...(await withBrowser(async (browser) => [
    ...(await inBrowser(browser, 'wasm', 500)),
    // the software adapter takes half a second per run
    ...(await inBrowser(browser, 'webgpu', 60)),
  ])),
];

async function onNode(edits: number): Promise<Measurement[]> {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const edit = createEdits(loadOrtNode, 'node');
  const measure = () => {
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    return { heap: heapUsed, rss };
  };
  await edit(edits / 5, 2);
  const before = measure();
  await edit((edits * 4) / 5, 2);
  const after = measure();
  return [
    growth(`node: JS heap over ${edits} edits`, before.heap, after.heap),
    growth(`node: process over ${edits} edits`, before.rss, after.rss),
  ];
}

async function inBrowser(
  browser: HarnessBrowser,
  backend: 'wasm' | 'webgpu',
  edits: number,
): Promise<Measurement[]> {
  const edit = async (count: number) => {
    const request = { backend, edits: count, runs: backend === 'webgpu' ? 1 : 2 };
    const held = await browser.call<typeof editInBrowser>('bench/edits.browser.ts', request);
    return { ...held, heap: await browser.heap() };
  };
  const before = await edit(edits / 5);
  const after = await edit((edits * 4) / 5);
  return [
    growth(`${backend}: JS heap over ${edits} edits`, before.heap, after.heap),
    growth(`${backend}: wasm heap over ${edits} edits`, before.wasm, after.wasm),
    ...(backend === 'webgpu'
      ? [growth(`webgpu: GPU buffers over ${edits} edits`, before.gpu, after.gpu)]
      : []),
  ];
}

const growth = (name: string, before: number, after: number): Measurement => ({
  name,
  value: before === after ? 0 : 100 * (after / before - 1),
  unit: '%',
  target: TARGET,
  note: `${(before / MB).toFixed(1)} → ${(after / MB).toFixed(1)} MB`,
});
