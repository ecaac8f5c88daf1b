import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadOrtNode } from '../src/runtime/ort-node';
import { type HarnessBrowser, withBrowser } from '../tools/harness/browser';
import { createEdits } from './edits';
import type { run as editInBrowser } from './edits.browser';
import { createFits } from './fits';
import type { run as fitInBrowser } from './fits.browser';
import { createLearning } from './learning';
import type { run as learnInBrowser } from './learning.browser';
import type { Bench, Measurement } from './measure';

/** Growth, %, from the end of the warm-up to the end, up or down, that is flat. */
const FLAT = 2;
const MB = 1e6;

const EDITS = 500;
/** The software WebGPU adapter takes half a second for one run of a tiny network. */
const STEPS = { cpu: 2000, webgpu: 60 };
/** 34 to warm up (until then the JavaScript engine keeps compiling), 51 to be measured. Not on the software adapter: minutes each. */
const FITS = 85;

/** Bytes by what they are in. */
type Bytes = Readonly<Record<string, number>>;

export const flatMemory: Bench = async () => [
  ...(await onNode(`${EDITS} edits`, createEdits(loadOrtNode, 'node'), EDITS)),
  ...(await onNode(`${STEPS.cpu} steps`, createLearning(loadOrtNode, 'node', STEPS.cpu), STEPS.cpu)),
  ...(await withBrowser((browser) => inBrowser(browser, 'wasm', EDITS, STEPS.cpu))),
];

/** By itself: the software adapter takes more than an hour for it. */
export const flatWebGpu = async (): Promise<Measurement[]> =>
  withBrowser((browser) => inBrowser(browser, 'webgpu', EDITS, STEPS.webgpu));

/** Fits alone: each opens and closes a program of every kind, so that they take longest. */
export const flatFits = async (): Promise<Measurement[]> => [
  ...(await onNode('51 fits', createFits(loadOrtNode, 'node'), FITS)),
  ...(await withBrowser((browser) =>
    grown('wasm: 51 fits', FITS, async (part) => {
      const { wasm } = await browser.call<typeof fitInBrowser>('bench/fits.browser.ts', {
        backend: 'wasm',
        fits: part,
      });
      return { ...(await heapOf(browser)), 'wasm heap': wasm };
    }),
  )),
];

const collect: () => void = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
})();

const onNode = (what: string, work: (count: number) => Promise<void>, count: number) =>
  grown(`node: ${what}`, count, async (part) => {
    await work(part);
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    return { 'JS heap': heapUsed, process: rss };
  });

async function inBrowser(
  browser: HarnessBrowser,
  backend: 'wasm' | 'webgpu',
  edits: number,
  steps: number,
): Promise<Measurement[]> {
  const after = async ({ wasm, gpu }: { readonly wasm: number; readonly gpu: number }): Promise<Bytes> => ({
    ...(await heapOf(browser)),
    'wasm heap': wasm,
    ...(backend === 'webgpu' && { 'GPU buffers': gpu }),
  });
  return [
    ...(await grown(`${backend}: ${edits} edits`, edits, async (part) =>
      after(await browser.call<typeof editInBrowser>('bench/edits.browser.ts', { backend, edits: part })),
    )),
    ...(await grown(`${backend}: ${steps} steps`, steps, async (take) =>
      after(await browser.call<typeof learnInBrowser>('bench/learning.browser.ts', { backend, steps, take })),
    )),
  ];
}

const heapOf = async (browser: HarnessBrowser): Promise<Bytes> => {
  const { all, data } = await browser.heap();
  return { 'JS heap': all, 'JS data': data };
};

/**
 * Growth from two fifths of the way, when everything has warmed up, to the end; and, for the record, how fast the last
 * half of that grew: what levels off is slower there, what leaks is not.
 */
async function grown(
  name: string,
  count: number,
  hold: (part: number) => Promise<Bytes>,
): Promise<Measurement[]> {
  const half = Math.floor((count * 3) / 10);
  const first = await hold(count - 2 * half);
  const middle = await hold(half);
  const last = await hold(half);
  return Object.entries(first).flatMap(([where, bytes]) => {
    const held = [bytes, middle[where]!, last[where]!];
    const growth = (from: number, to: number): number => (from === to ? 0 : 100 * (to / from - 1));
    return [
      {
        name: `${name}, ${where}`,
        value: growth(bytes, last[where]!),
        unit: '%' as const,
        within: FLAT,
        note: `${held.map((b) => (b / MB).toFixed(1)).join(' → ')} MB`,
      },
      {
        name: `${name}, ${where}: per 100 in the last half`,
        value: (100 / half) * growth(middle[where]!, last[where]!),
        unit: '%' as const,
      },
    ];
  });
}
