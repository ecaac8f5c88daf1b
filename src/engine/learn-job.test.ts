import { afterAll, expect, test } from 'vitest';
import { refOf } from '../document/concepts';
import type { LearnedConcept, Recipe } from '../document/document';
import { editMethods } from '../editing/methods';
import { readConcept } from '../formats/concept';
import { readConceptBase } from '../formats/model-folder';
import { personalizationMethods } from '../personalization/methods';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { memoryBlobs } from '../storage/blobs';
import { memoizePromise } from '../util/async';
import { bytesSource, type FileTree } from '../util/byte-source';
import { decodeCheckpoint } from './checkpoint-file';
import { createLocalEngine } from './engine';
import type { LearnEvent, LearnRequest, LearnResult } from './events';
import { RunControls } from './run-controls';
import { tinyHost, tinyPicture, tinyTree } from './tiny-tree';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const tiny = tinyTree({
  learning: { 'custom-diffusion': { balanced: { steps: 12, learningRate: 0.01 }, quick: { steps: 4 } } },
});
const reads: string[] = [];
/** The tree, noting what is read from it. */
const watched: FileTree = {
  name: tiny.name,
  async open(path) {
    const file = await tiny.open(path);
    return (
      file && {
        ...file,
        read(begin, end) {
          if (path.endsWith('.safetensors')) reads.push(`${path} ${begin}`);
          return file.read(begin, end);
        },
      }
    );
  },
};
const blobs = memoryBlobs();
const host = tinyHost(backend, watched, blobs);
const engine = createLocalEngine(host);
afterAll(() => engine.dispose());

const photo = await tinyPicture(host, 3);
const pictures = [await tinyPicture(host, 1), await tinyPicture(host, 2)].map(({ id }) => ({
  id,
  square: { x: 2, y: 1, size: 18 },
}));

const request = (method = 'custom-diffusion', options: Record<string, number> = {}): LearnRequest => ({
  model: 'tiny',
  name: 'Miso',
  token: '<miso>',
  classWord: 'cat',
  pictures,
  method,
  options: {
    ...personalizationMethods[method]!.defaults,
    steps: 6,
    batch: 1,
    learningRate: 0.01,
    priorPictures: 0,
    ...options,
  },
  seed: 5,
  resume: null,
});
const never = new AbortController().signal;

/** All events; what the job throws, too. */
async function collect(
  asked: LearnRequest,
  each: (event: LearnEvent, controls: RunControls) => unknown = () => {},
  signal = never,
) {
  const controls = new RunControls();
  const events: LearnEvent[] = [];
  try {
    for await (const event of engine.learn(asked, signal, controls)) {
      events.push(event);
      await each(event, controls);
    }
  } catch (error) {
    return { events, error };
  }
  return { events, error: null };
}
const resultOf = (events: readonly LearnEvent[]): LearnResult => {
  const last = events.at(-1)!;
  if (last.kind !== 'result') throw new Error(`ended with ${last.kind}`);
  return last.value;
};
const checkpointsOf = (events: readonly LearnEvent[]) =>
  events.flatMap((event) => (event.kind === 'checkpoint' ? [event] : []));
const base = await readConceptBase(tiny);
const conceptOf = async ({ id }: LearnedConcept) =>
  (await readConcept(bytesSource('miso.safetensors', await blobs.get(id)), base)).concept;
const kinds = (events: readonly LearnEvent[]) => [...new Set(events.map(({ kind }) => kind))];
/** A run of each method from start to end, with a checkpoint after every step. */
const whole = memoizePromise(async (method: string) => {
  const { events } = await collect(request(method), (_, controls) => controls.save());
  return events;
});

const recipe = (learned: LearnedConcept | null, over: Partial<Recipe> = {}): Recipe => ({
  app: 'DreamSteerer Studio',
  version: 1,
  model: 'tiny',
  method: 'dds-s',
  sourcePrompt: 'a cat',
  targetPrompt: 'a cat',
  subject: 'cat',
  seed: 3,
  options: { ...editMethods['dds-s']!.defaults, steps: 2 },
  photo: { id: photo.id, width: 24, height: 20 },
  square: { x: 2, y: 3, size: 16 },
  mask: null,
  concept: learned && refOf(learned),
  ...over,
});
async function edit(it: Recipe) {
  for await (const event of engine.edit({ recipe: it }, never)) {
    if (event.kind === 'result') return event.value.square.id;
  }
  throw new Error('no result');
}

test.each(['textual-inversion', 'dreambooth-lora', 'custom-diffusion', 'dreambooth'])(
  '%s runs as many steps as asked and ends with a file that says what it is and edits differently',
  async (method) => {
    const events = await whole(method);
    expect(events.flatMap((event) => (event.kind === 'step' ? [event.index] : []))).toEqual([
      0, 1, 2, 3, 4, 5,
    ]);
    const { learned, total } = resultOf(events);
    expect(learned).toMatchObject({
      name: 'Miso',
      classWord: 'cat',
      method,
      steps: 6,
      baseHash: base.sha256,
    });
    expect(total).toBe(6);
    expect(kinds(events)).toEqual(['queued', 'stage', 'step', 'checkpoint', 'sample', 'result']);
    const samples = events.filter((event) => event.kind === 'sample');
    // at the first pause, halfway, at the end
    expect(samples.map(({ step }) => step)).toEqual([1, 3, 6]);
    expect(samples[0]).toMatchObject({ image: { width: 16, height: 16 } });
    expect(await edit(recipe(learned))).not.toBe(await edit(recipe(null)));
  },
);

test('a resumed job learns what an uninterrupted one does, bit for bit, and keeps the older checkpoints', async () => {
  const events = await whole('dreambooth-lora');
  const { state } = checkpointsOf(events)[3]!.checkpoint;
  const resumed = await collect({ ...request('dreambooth-lora'), resume: state });
  const steps = (all: readonly LearnEvent[]) => all.filter(({ kind }) => kind === 'step');
  expect(steps(resumed.events)).toEqual(steps(events).slice(4));
  expect(await conceptOf(resultOf(resumed.events).learned)).toEqual(
    await conceptOf(resultOf(events).learned),
  );
  expect(await blobs.has(state)).toBe(true);
});

test('the latest three checkpoints and the kept ones stay, each under a name of its own', async () => {
  let kept = '';
  const { events } = await collect(request(), (event, controls) => {
    controls.save();
    if (event.kind !== 'checkpoint' || kept) return;
    kept = event.checkpoint.state;
    controls.keep(kept);
  });
  const all = checkpointsOf(events);
  const states = all.map(({ checkpoint }) => checkpoint.state);
  expect(new Set(states).size).toBe(6);
  expect(all.flatMap(({ dropped }) => dropped)).toEqual(states.slice(1, 3));
  const stored = await Promise.all(states.map((id) => blobs.has(id)));
  expect(stored).toEqual([true, false, false, true, true, true]);
  expect((await decodeCheckpoint(await blobs.get(kept))).step).toBe(1);
  const other = checkpointsOf(await whole('custom-diffusion'));
  expect(states, 'the same state of another run is another file').not.toContain(other[5]!.checkpoint.state);
});

test('cancelling ends after the step in progress, with a checkpoint of it', async () => {
  const stop = new AbortController();
  const { events, error } = await collect(
    request(),
    (event) => {
      if (event.kind === 'step' && event.index === 2) stop.abort(new DOMException('cancelled', 'AbortError'));
    },
    stop.signal,
  );
  expect(error).toMatchObject({ name: 'AbortError' });
  expect(events.filter(({ kind }) => kind === 'step')).toHaveLength(3);
  expect(events.at(-1)).toMatchObject({ kind: 'checkpoint', checkpoint: { step: 3 } });
});

test('cancelling while pictures of the class are made ends before the next network call', async () => {
  const stop = new AbortController();
  const { events, error } = await collect(
    request('custom-diffusion', { priorPictures: 50 }),
    (event) => {
      if (event.kind === 'stage' && event.name === 'prior')
        stop.abort(new DOMException('cancelled', 'AbortError'));
    },
    stop.signal,
  );
  expect(error).toMatchObject({ name: 'AbortError' });
  expect(events.filter((event) => event.kind === 'stage' && event.name === 'prior')).toHaveLength(1);
});

test('finishing early gives what was learned so far', async () => {
  const { events } = await collect(request(), (event, controls) => {
    if (event.kind === 'step' && event.index === 1) controls.finish();
  });
  expect(resultOf(events)).toMatchObject({ total: 6, learned: { steps: 2 } });
});

test('an edit runs while learning is paused, with what was learned by then, and changes nothing in it', async () => {
  const squares: string[] = [];
  const disturbed = await collect(request(), async (event, controls) => {
    if (event.kind === 'step' && event.index === 1) controls.save();
    if (event.kind !== 'checkpoint') return;
    // nobody asks the job for its next event meanwhile: it is paused
    squares.push(await edit(recipe(event.checkpoint.learned)), await edit(recipe(null)));
  });
  expect(squares[0]).not.toBe(squares[1]);
  expect(await conceptOf(resultOf(disturbed.events).learned)).toEqual(
    await conceptOf(resultOf(await whole('custom-diffusion')).learned),
  );
});

test('changing concepts reads nothing of the model again, and going back gives the same picture', async () => {
  const learned = [];
  for (const method of ['dreambooth-lora', 'custom-diffusion', 'textual-inversion'])
    learned.push(resultOf(await whole(method)).learned);
  const first = [];
  for (const each of [null, ...learned]) first.push(await edit(recipe(each)));
  expect(new Set(first).size).toBe(4);
  reads.length = 0;
  const second = [];
  for (const each of [null, ...learned]) second.push(await edit(recipe(each)));
  expect(second).toEqual(first);
  // headers and the two convolutions that tell the base
  const weights = reads.filter((read) => !/ (0|8)$/.test(read));
  expect(new Set(weights).size).toBeLessThanOrEqual(2);
});

test('requests that cannot run are refused by name', async () => {
  expect((await collect(request('dreambooth-lora', { steps: 0 }))).error).toMatchObject({
    code: 'BAD_REQUEST',
  });
  const unknown = { ...request(), method: 'magic' };
  expect((await collect(unknown)).error).toMatchObject({ code: 'BAD_REQUEST', message: /magic/ });
  expect((await collect({ ...request(), pictures: [] })).error).toMatchObject({ code: 'BAD_REQUEST' });
  const { learned } = resultOf(await whole('custom-diffusion'));
  const nowhere = recipe(learned, {
    targetPrompt: 'a landscape',
    sourcePrompt: 'a landscape',
    subject: null,
  });
  await expect(edit(nowhere)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
});

test('methods are listed with presets, overridden by what suits the model', async () => {
  const { learnMethods } = await engine.info('tiny');
  expect(learnMethods.map(({ name }) => name)).toEqual(Object.keys(personalizationMethods));
  const { presets, defaults } = learnMethods.find(({ name }) => name === 'custom-diffusion')!;
  expect(presets.balanced).toMatchObject({ steps: 12, learningRate: 0.01, batch: 2 });
  expect(presets.quick).toMatchObject({ steps: 4, learningRate: 0.01, priorPictures: 0 });
  expect(presets.best.steps).toBeGreaterThan(12);
  expect(defaults).toEqual(presets.balanced);
});
