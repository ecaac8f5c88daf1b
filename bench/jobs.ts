import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createModel } from '../src/diffusion/model';
import { editMethods } from '../src/editing/methods';
import { loadParts, memoryLimits } from '../src/engine/load-model';
import { type Concept, changesOf } from '../src/personalization/concept';
import { learn } from '../src/personalization/learn';
import { personalizationMethods } from '../src/personalization/methods';
import { conceptOf } from '../src/personalization/plan';
import { openBackend } from '../src/runtime/backend';
import { loadOrtNode } from '../src/runtime/ort-node';
import { zeros } from '../src/util/nd-array';
import { diskTree } from '../tools/disk-tree';
import type { FitInput } from '../tools/edit/fit';
import type { run as editInBrowser } from '../tools/edit/in-browser';
import { type HarnessBrowser, withBrowser } from '../tools/harness/browser';
import { readImage } from '../tools/images';
import type { run as learnInBrowser } from '../tools/learn/learn.browser';
import { BROWSER_BACKEND } from './browser-backend';
import { type Bench, type Measurement, median } from './measure';

const PUBLIC = join(import.meta.dirname, '../public');
const STARTER = join(PUBLIC, 'models/starter');
const FIGURE = ['miso-1.jpg', 'miso-2.jpg', 'miso-3.jpg', 'miso-4.jpg'];

/** Of the time for steps, %, that everything beside them may take. */
const OVERHEAD = 5;
/** ms. */
const [FIRST_PREVIEW, BALANCED, FIT, EDIT] = [3000, 180_000, 60_000, 60_000];

/** Edits with the bundled starter in a browser's worker, as a person runs them; changing concepts. */
export const jobs: Bench = async () => [...(await withBrowser(editing)), ...(await switching())];

/** A concept with the starter, likewise: learned, put into a photo, fitted to it. Minutes. */
export const concept: Bench = () => withBrowser(learning);

const picture = (name: string) => readImage(join(PUBLIC, 'demo', name));

const demo = async () => JSON.parse(await readFile(join(PUBLIC, 'demo/demo.json'), 'utf8'));

async function editing({ call, serve }: HarnessBrowser): Promise<Measurement[]> {
  const { photo, square, sourcePrompt, targetPrompt, seed } = await demo();
  const method = 'dds-sm';
  const edit = { sourcePrompt, targetPrompt, subject: '', method, seed, square };
  const input = {
    model: serve(STARTER),
    backend: BROWSER_BACKEND,
    edit: {
      photo: await picture(photo),
      photoName: photo,
      mask: null,
      model: 'starter',
      edit: { ...edit, options: editMethods[method]!.defaults },
    },
  };
  // the first edit of a page also compiles ONNX Runtime
  await call<typeof editInBrowser>('tools/edit/in-browser.ts', input);
  const { result, firstPreview } = await call<typeof editInBrowser>('tools/edit/in-browser.ts', input);
  const { load, previewShare, stepMedian } = result.timings;
  return [
    {
      name: `${BROWSER_BACKEND}: from Run to the first preview, model loaded`,
      value: firstPreview! - load!,
      unit: 'ms',
      target: FIRST_PREVIEW,
      note: `${stepMedian!.toFixed(0)} ms a step`,
    },
    { name: `${BROWSER_BACKEND}: loading the model`, value: load!, unit: 'ms' },
    {
      name: `${BROWSER_BACKEND}: previews ÷ steps of an edit`,
      value: 100 * previewShare!,
      unit: '%',
      target: OVERHEAD,
    },
  ];
}

async function learning({ call, serve }: HarnessBrowser): Promise<Measurement[]> {
  const pictures = await Promise.all(FIGURE.map(async (name) => ({ name, pixels: await picture(name) })));
  const model = serve(STARTER);
  const learned = { model: 'starter', name: 'Miso', classWord: 'cat', token: null, seed: 0, options: {} };
  const from = performance.now();
  const output = await call<typeof learnInBrowser>('tools/learn/learn.browser.ts', {
    learn: { ...learned, pictures, method: 'dreambooth-lora', preset: 'balanced', resume: null },
    backend: BROWSER_BACKEND,
    model,
  });
  const balanced = performance.now() - from;
  const { total, timings } = output!.result;
  const { photo, square, sourcePrompt, seed } = await demo();
  const words = { sourcePrompt, targetPrompt: sourcePrompt, subject: '', method: 'dds-sm', seed, square };
  const edit = {
    photo: await picture(photo),
    photoName: photo,
    mask: null,
    model: 'starter',
    edit: { ...words, options: {} },
    concept: { name: 'miso.safetensors', bytes: new Uint8Array(output!.file) },
  };
  const timed = async (fit: FitInput | null): Promise<number> => {
    const begun = performance.now();
    const input = { model, backend: BROWSER_BACKEND, edit: { ...edit, fit } };
    await call<typeof editInBrowser>('tools/edit/in-browser.ts', input);
    return performance.now() - begun;
  };
  const plain = await timed(null);
  const fitted = await timed({ options: {}, references: pictures, file: null });
  return [
    {
      name: `${BROWSER_BACKEND}: an edit with it, model loaded anew`,
      value: plain,
      unit: 'ms',
      target: EDIT,
    },
    {
      name: `${BROWSER_BACKEND}: fitting it to the photo first`,
      value: fitted - plain,
      unit: 'ms',
      target: FIT,
    },
    {
      name: `${BROWSER_BACKEND}: a concept, Balanced, from Learn to its file`,
      value: balanced,
      unit: 'ms',
      target: BALANCED,
      note: `${total} steps`,
    },
    {
      name: `${BROWSER_BACKEND}: samples and checkpoints ÷ steps of learning`,
      value: 100 * timings.overheadShare!,
      unit: '%',
      target: OVERHEAD,
    },
  ];
}

/** From one concept to another on a loaded model, until it can predict. */
async function switching(): Promise<Measurement[]> {
  const backend = await openBackend('node', { load: loadOrtNode });
  const parts = await loadParts(diskTree(STARTER), backend, 'float32');
  const model = createModel(parts, memoryLimits(backend));
  const { defaults } = personalizationMethods['custom-diffusion']!;
  const options = { ...defaults, steps: 1, priorPictures: 0 };
  const side = model.size;
  const request = (seed: number) => {
    const pictures = [zeros([1, 3, side, side])];
    return { method: 'custom-diffusion', options, pictures, token: `<new${seed}>`, classWord: 'cat', seed };
  };
  const concepts: Concept[] = [];
  for (const seed of [1, 2]) {
    const run = learn(parts, request(seed), { resize: async (image) => image, limits: {} });
    for (;;) {
      const { value, done } = await run.next();
      if (!done) continue;
      concepts.push(conceptOf(request(seed), value.state));
      break;
    }
  }
  const prompt = await model.embed('a cat');
  const use = async (other: Concept): Promise<number> => {
    const from = performance.now();
    const { predictNoise } = await model.personalise(changesOf(parts, other));
    const ready = performance.now();
    await predictNoise(zeros(model.latentShape), 500, prompt);
    return ready - from;
  };
  for (const other of concepts) await use(other);
  const times: number[] = [];
  for (let i = 0; i < 9; i++) times.push(await use(concepts[i % 2]!));
  await model.dispose();
  return [{ name: 'node: switching to another concept', value: median(times), unit: 'ms' }];
}
