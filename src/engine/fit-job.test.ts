import { afterAll, expect, test } from 'vitest';
import { refOf } from '../document/concepts';
import type { BlobId, FittedConcept, LearnedConcept, Recipe } from '../document/document';
import { editMethods } from '../editing/methods';
import { writeLora } from '../formats/concept-export';
import { readConceptBase } from '../formats/model-folder';
import { personalizationMethods } from '../personalization/methods';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { applyFit } from '../steering/fit';
import { steerDefaults } from '../steering/options';
import { memoryBlobs } from '../storage/blobs';
import { tinyModel } from '../training/tiny-model';
import { memoizePromise } from '../util/async';
import { zeros } from '../util/nd-array';
import { fromFileConcept, openTrainable } from './concept-files';
import { createLocalEngine } from './engine';
import type { FitEvent, FitRequest, FitResult } from './events';
import { openFit, readStoredFit } from './fit-files';
import { RunControls } from './run-controls';
import { tinyHost, tinyPicture, tinyTree } from './tiny-tree';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const quick = { samples: 2, ddimSteps: 3, steps: 4, learningRate: 1e-2 };
const tree = tinyTree({ steering: { all: quick, dreambooth: { gamma: 0.3 } } });
const base = await readConceptBase(tree);
const blobs = memoryBlobs();
const host = tinyHost(backend, tree, blobs);
// never disposed of between: a backend is shared by all engines of this file
const engine = createLocalEngine(host);
afterAll(() => engine.dispose());
const photo = await tinyPicture(host, 3);
const never = new AbortController().signal;

/** Learned in one step: enough to differ from the base. */
const concept = memoizePromise(async (method: string): Promise<LearnedConcept> => {
  const options = { ...personalizationMethods[method]!.defaults, steps: 1, batch: 1, priorPictures: 0 };
  const { id } = await tinyPicture(host, 1);
  const pictures = [{ id, square: { x: 2, y: 1, size: 18 } }];
  const words = { model: 'tiny', name: 'Miso', token: '<miso>', classWord: 'cat' };
  const job = engine.learn({ ...words, pictures, method, options, seed: 5, resume: null }, never);
  for await (const event of job) if (event.kind === 'result') return event.value.learned;
  throw new Error('no result');
});

const request = async (method = 'custom-diffusion', over: Partial<FitRequest> = {}): Promise<FitRequest> => ({
  model: 'tiny',
  concept: await concept(method),
  photo: { id: photo.id, square: { x: 2, y: 3, size: 16 } },
  sourcePrompt: 'a dog',
  targetPrompt: 'a cat',
  subject: 'dog',
  options: {},
  seed: 5,
  resume: null,
  ...over,
});

/** All events; what the job throws, too. */
async function collect(
  asked: FitRequest,
  each: (event: FitEvent, controls: RunControls) => unknown = () => {},
  { signal = never, by = engine } = {},
) {
  const controls = new RunControls();
  const events: FitEvent[] = [];
  try {
    for await (const event of by.fit(asked, signal, controls)) {
      events.push(event);
      await each(event, controls);
    }
  } catch (error) {
    return { events, error };
  }
  return { events, error: null };
}
const resultOf = (events: readonly FitEvent[]): FitResult => {
  const last = events.at(-1)!;
  if (last.kind !== 'result') throw new Error(`ended with ${last.kind}`);
  return last.value;
};
const of = <K extends FitEvent['kind']>(events: readonly FitEvent[], kind: K) =>
  events.filter((event): event is Extract<FitEvent, { kind: K }> => event.kind === kind);
const whole = memoizePromise(async (method: string) => (await collect(await request(method))).events);
const numbers = async (fit: FittedConcept, learned: LearnedConcept) =>
  (await readStoredFit(host, fit, refOf(learned), base)).concept;

test.each(Object.keys(personalizationMethods))(
  '%s: stages in order, and a stored fit that names the concept and leaves it as it is',
  async (method) => {
    const learned = await concept(method);
    const before = await blobs.get(learned.id);
    const events = await whole(method);
    const stages = [...new Set(of(events, 'stage').map(({ name }) => name))];
    expect(stages).toEqual(['load', 'encode', 'invert', 'guide', 'compile', 'fit']);
    const { fit, cached, metrics } = resultOf(events);
    expect(fit).toMatchObject({ concept: learned.id, photo: photo.id, steps: 4, seed: 5 });
    expect(fit.targetPrompt).toBe(`a ${learned.subject}`);
    const { learningRate, gamma } = { ...steerDefaults(method), ...quick };
    expect(fit.options).toEqual({
      ...steerDefaults(method),
      ...quick,
      learningRate,
      gamma: method === 'dreambooth' ? 0.3 : gamma,
    });
    expect(cached).toBe(false);
    expect(Object.keys(metrics)).toEqual(['delta2', 'gap', 'modeShift']);
    const file = await readStoredFit(host, fit, refOf(learned), base);
    expect(file).toMatchObject({ parent: learned.id, key: fit.key, onTop: false, steps: 4 });
    expect(await blobs.get(learned.id)).toEqual(before);
  },
);

test('the photo, the guided samples and every step are shown; the samples are kept', async () => {
  const events = await whole('dreambooth-lora');
  expect(of(events, 'preview')).toHaveLength(1);
  const guided = of(events, 'guided');
  expect(guided.map(({ index, total }) => [index, total])).toEqual([
    [0, 3],
    [1, 3],
    [2, 3],
  ]);
  expect(guided.every(({ loss }) => loss! > 0)).toBe(true);
  expect(guided.map(({ pictures }) => pictures.length)).toEqual(
    guided.map((_, i) => (i === guided.length - 1 ? 2 : 1)),
  );
  expect(guided.at(-1)!.quality).toBe('decoded');
  const { fit } = resultOf(events);
  const kept = await Promise.all(fit.samples.map(({ id }) => host.readImage(id)));
  expect(kept.map(({ data }) => data)).toEqual(guided.at(-1)!.pictures.map(({ data }) => data));
  expect(of(events, 'step').map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  for (const { metrics } of of(events, 'step')) {
    expect(Object.keys(metrics!)).toEqual(['delta2', 'gap', 'modeShift', 'gradNorm', 'applied']);
  }
});

test('an equal request gets the stored fit at once; another seed, or a file that is gone, is fitted', async () => {
  const { fit } = resultOf(await whole('textual-inversion'));
  const again = await collect(await request('textual-inversion'));
  expect(again.events.map(({ kind }) => kind)).toEqual(['queued', 'stage', 'result']);
  expect(resultOf(again.events)).toMatchObject({ cached: true, fit });
  // an engine that was started again is told
  const other = createLocalEngine(host);
  const told = await collect(await request('textual-inversion', { known: [fit] }), () => {}, { by: other });
  expect(resultOf(told.events)).toMatchObject({ cached: true, fit });
  const gone = { ...fit, id: 'ab'.repeat(32) };
  const lost = await collect(await request('textual-inversion', { known: [gone] }), () => {}, { by: other });
  expect(resultOf(lost.events).cached).toBe(false);
  const reseeded = resultOf((await collect(await request('textual-inversion', { seed: 6 }))).events);
  expect(reseeded.cached).toBe(false);
  expect(reseeded.fit.key).not.toBe(fit.key);
});

test('a fit goes on from a checkpoint in a new engine, bit for bit, and makes no samples again', async () => {
  const learned = await concept('dreambooth-lora');
  const stop = new AbortController();
  const interrupted = await collect(
    await request('dreambooth-lora', { seed: 7 }),
    (event) => {
      if (event.kind === 'step' && event.index === 1) stop.abort(new DOMException('cancelled', 'AbortError'));
    },
    { signal: stop.signal },
  );
  expect(interrupted.error).toMatchObject({ name: 'AbortError' });
  expect(of(interrupted.events, 'step')).toHaveLength(2);
  const [samples, last] = of(interrupted.events, 'checkpoint');
  expect([samples!.step, last!.step]).toEqual([0, 2]);
  const fresh = createLocalEngine(host);
  const uninterrupted = resultOf((await collect(await request('dreambooth-lora', { seed: 7 }))).events);
  for (const { state, step } of [samples!, last!]) {
    const asked = await request('dreambooth-lora', { seed: 7, resume: state });
    const { events } = await collect(asked, () => {}, { by: step === 0 ? fresh : createLocalEngine(host) });
    expect(of(events, 'guided')).toEqual([]);
    expect(of(events, 'step').map(({ index }) => index)).toEqual([0, 1, 2, 3].slice(step));
    const { fit } = resultOf(events);
    expect(fit).toMatchObject({ steps: 4, key: uninterrupted.fit.key, samples: uninterrupted.fit.samples });
    expect(await numbers(fit, learned)).toEqual(await numbers(uninterrupted.fit, learned));
  }
});

test('cancelling while samples are made ends before the next network call', async () => {
  const stop = new AbortController();
  const { events, error } = await collect(
    await request('custom-diffusion', { seed: 8 }),
    (event) => {
      if (event.kind === 'guided') stop.abort(new DOMException('cancelled', 'AbortError'));
    },
    { signal: stop.signal },
  );
  expect(error).toMatchObject({ name: 'AbortError' });
  expect(of(events, 'guided')).toHaveLength(1);
  expect(events.at(-1)!.kind).toBe('checkpoint');
});

const sampling = { seed: 10, options: { ddimSteps: 4, eta: 0.5 } };
const sampled = memoizePromise(async (method: string) => {
  const { events } = await collect(await request(method, sampling), () => {}, {
    by: createLocalEngine(host),
  });
  return resultOf(events).fit;
});
const cancelled = new DOMException('cancelled', 'AbortError');
const interruptions: Readonly<Record<string, (stop: AbortController, controls: RunControls) => void>> = {
  'cancelled after a step': (stop) => stop.abort(cancelled),
  'cancelled in the middle of a step': (stop) => void setImmediate(() => stop.abort(cancelled)),
  'saved and lost later': (_, controls) => controls.save(),
};

test.each(Object.entries(interruptions))(
  'guided sampling, %s, goes on from what was done, bit for bit',
  async (_, interrupt) => {
    const learned = await concept('dreambooth-lora');
    const begun = async (resume: BlobId | null, each: Parameters<typeof collect>[1], signal = never) =>
      collect(await request('dreambooth-lora', { ...sampling, resume }), each, {
        by: createLocalEngine(host),
        signal,
      });
    const stop = new AbortController();
    const { events, error } = await begun(
      null,
      (event, controls) => {
        if (event.kind === 'guided' && event.index === 1) interrupt(stop, controls);
      },
      stop.signal,
    );
    expect(error).toEqual(stop.signal.aborted ? cancelled : null);
    const [kept] = of(events, 'checkpoint');
    expect(events.indexOf(kept!)).toBe(events.indexOf(of(events, 'guided')[1]!) + 1);
    expect(kept!.step).toBe(0);

    const resumed = await begun(kept!.state, () => {});
    expect(of(resumed.events, 'stage').map(({ name }) => name)).not.toContain('invert');
    expect(of(resumed.events, 'guided').map(({ index }) => index)).toEqual([2, 3]);
    const [one, other] = [resultOf(resumed.events).fit, await sampled('dreambooth-lora')];
    expect(one).toMatchObject({ steps: 4, key: other.key, samples: other.samples });
    expect(await numbers(one, learned)).toEqual(await numbers(other, learned));

    const elsewhere = { ...sampling, seed: 11, resume: kept!.state };
    const refused = await collect(await request('dreambooth-lora', elsewhere));
    expect(refused.error).toMatchObject({ code: 'BAD_REQUEST', message: /other settings/ });
  },
);

test('finishing early gives what was fitted so far, which is not what an equal request asks for', async () => {
  const asked = await request('custom-diffusion', { seed: 9 });
  const early = await collect(asked, (event, controls) => {
    if (event.kind === 'step' && event.index === 1) controls.finish();
  });
  expect(resultOf(early.events).fit.steps).toBe(2);
  const again = resultOf((await collect(asked)).events);
  expect(again).toMatchObject({ cached: false, fit: { steps: 4 } });
});

test('requests that cannot run are refused by name', async () => {
  const refused = async (over: Partial<FitRequest>) =>
    (await collect(await request('custom-diffusion', over))).error;
  expect(await refused({ options: { magic: 1 } })).toMatchObject({ code: 'BAD_REQUEST', message: /magic/ });
  expect(await refused({ options: { gamma: 99 } })).toMatchObject({ code: 'BAD_REQUEST', message: /gamma/ });
  expect(await refused({ sourcePrompt: '' })).toMatchObject({ code: 'BAD_REQUEST' });
  const nowhere = { targetPrompt: 'a landscape', sourcePrompt: 'a landscape', subject: null };
  expect(await refused(nowhere)).toMatchObject({ code: 'BAD_REQUEST', message: /Miso/ });
  const learned = await concept('custom-diffusion');
  expect(await refused({ concept: { ...learned, id: 'cd'.repeat(32) } })).toMatchObject({ code: 'BAD_FILE' });
});

test('a LoRA of another program that cannot train gets an update on top', async () => {
  const name = 'text_model.encoder.layers.0.self_attn.q_proj.weight';
  const [out, width] = base.textEncoder.get(name)! as [number, number];
  const change = { kind: 'low-rank', name, down: zeros([2, width]), up: zeros([out, 2]), scale: 1 } as const;
  const about = {
    title: 'Other',
    method: 'lora',
    classWord: '',
    resolution: 16,
    predictionType: 'epsilon',
    appVersion: '1',
    date: '',
  } as const;
  const file = { tokens: [], unet: [], textEncoder: [change] };
  const id = await host.writeBytes(await writeLora(file, { base, about }));
  const learned = {
    ...(await concept('dreambooth')),
    id,
    name: 'Other',
    token: '',
    subject: '',
    method: 'lora',
  };
  const asked = await request('dreambooth', { concept: learned });
  const refused = await collect(asked);
  expect(refused.error).toMatchObject({ code: 'BAD_REQUEST', message: /text encoder/ });
  const { fit } = resultOf((await collect({ ...asked, options: { loraRank: 2 } })).events);
  expect(await readStoredFit(host, fit, refOf(learned), base)).toMatchObject({ onTop: true });
});

const recipe = (learned: LearnedConcept, fit?: FittedConcept): Recipe => ({
  app: 'DreamSteerer Studio',
  version: 1,
  model: 'tiny',
  method: 'dds-s',
  sourcePrompt: 'a dog',
  targetPrompt: 'a cat',
  subject: 'dog',
  seed: 3,
  options: { ...editMethods['dds-s']!.defaults, steps: 2 },
  photo: { id: photo.id, width: 24, height: 20 },
  square: { x: 2, y: 3, size: 16 },
  mask: null,
  concept: refOf(learned),
  ...(fit && { fit: { id: fit.id, key: fit.key, options: fit.options, seed: fit.seed } }),
});
async function edit(it: Recipe) {
  for await (const event of engine.edit({ recipe: it }, never)) {
    if (event.kind === 'result') return event.value.square.id;
  }
  throw new Error('no result');
}

test.each(Object.keys(personalizationMethods))(
  '%s: an edit with a fit differs from one without',
  async (method) => {
    const learned = await concept(method);
    const { fit } = resultOf(await whole(method));
    const [plain, fitted] = [await edit(recipe(learned)), await edit(recipe(learned, fit))];
    expect(fitted).not.toBe(plain);
    expect(await edit(recipe(learned)), 'the concept is as it was').toBe(plain);
    expect(await edit(recipe(learned, fit))).toBe(fitted);
  },
);

test('an update on top is that of the model with the concept below it', async () => {
  const learned = await concept('dreambooth');
  const asked = await request('dreambooth', { options: { loraRank: 2 } });
  const { fit } = resultOf((await collect(asked)).events);
  const parts = tinyModel(backend);
  const delta = await fromFileConcept(await numbers(fit, learned), learned, parts, false);
  const trained = await openTrainable(host, learned, base, parts, true);
  const { unet } = applyFit(parts, trained, { parent: '', key: '', onTop: true, delta, guided: [] });
  const changes = await openFit(host, fit, refOf(learned), base, parts);
  const name = 'up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q.weight';
  const own = changes.unet.get(name)!(await parts.unet.weights.read(name));
  const expected = (await unet.weights.read(name)).data;
  own.data.forEach((v, i) => {
    expect(v).toBeCloseTo(expected[i]!, 5);
  });
  expect(own.data).not.toEqual((await parts.unet.weights.read(name)).data);
});

test('a fit of another concept, or without its concept, is refused', async () => {
  const { fit } = resultOf(await whole('custom-diffusion'));
  const other = recipe(await concept('dreambooth'), fit);
  await expect(edit(other)).rejects.toMatchObject({ code: 'BAD_REQUEST', message: /another concept/ });
  await expect(edit({ ...other, concept: null })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  const learned = await concept('custom-diffusion');
  const noFit = recipe(learned, { ...fit, id: learned.id });
  await expect(edit(noFit)).rejects.toMatchObject({ code: 'BAD_FILE' });
});

test('options are listed with one-line helps and defaults by method, overridden by what suits the model', async () => {
  const { fitOptions } = await engine.info('tiny');
  const { fields, defaults } = fitOptions;
  expect(Object.keys(defaults['custom-diffusion']!).toSorted()).toEqual(Object.keys(fields).toSorted());
  expect(defaults.dreambooth).toMatchObject({ steps: 4, gamma: 0.3, learningRate: 1e-2 });
  expect(defaults['']).toMatchObject({ steps: 4, gamma: 0.1 });
});
