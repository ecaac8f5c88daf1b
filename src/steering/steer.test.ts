import { expect, test } from 'vitest';
import { createModel } from '../diffusion/model';
import type { Concept } from '../personalization/concept';
import { learn } from '../personalization/learn';
import type { LearnOptions } from '../personalization/method';
import { personalizationMethods } from '../personalization/methods';
import { conceptOf } from '../personalization/plan';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { tinyModel } from '../training/tiny-model';
import { memoizePromise } from '../util/async';
import { type NdArray, ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import type { SteerOptions } from './options';
import { type SteerCheckpoint, type SteerEvent, type SteerHost, steer } from './steer';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const base = tinyModel(backend);
const model = createModel(base, {});
const picture = (seed: number): NdArray =>
  ndArray(
    createTorchRng(seed)
      .rand(3 * 256)
      .map((v) => 2 * v - 1),
    [1, 3, 16, 16],
  );

/** Learned in two steps: enough to differ from the base. */
const concept = memoizePromise(async (name: string): Promise<Concept> => {
  const [method, trained] = name.split('+') as [string, string?];
  const options = {
    ...personalizationMethods[method]!.defaults,
    steps: 2,
    learningRate: 1e-2,
    batch: 1,
    priorPictures: 0,
    textEncoder: trained === 'text' ? 1 : 0,
  } satisfies LearnOptions as LearnOptions;
  const request = { method, options, pictures: [picture(1)], token: '<miso>', classWord: 'cat', seed: 3 };
  const job = learn(base, request, { resize: async (x) => x, limits: {} });
  for (;;) {
    const next = await job.next();
    if (next.done) return conceptOf(request, next.value.state);
  }
});

const quick: Partial<SteerOptions> = {
  samples: 2,
  ddimSteps: 3,
  steps: 4,
  learningRate: 1e-2,
  samplingGuidance: 2,
};

async function run(method: string, options: Partial<SteerOptions> = {}, host: Partial<SteerHost> = {}) {
  const learned = await concept(method);
  const request = {
    concept: learned,
    picture: picture(9),
    sourcePrompt: 'a cat',
    targetPrompt: `a ${learned.subject}`,
    options: { ...quick, ...options },
    seed: 5,
  };
  const events: SteerEvent[] = [];
  const job = steer(model, request, host);
  for (;;) {
    const next = await job.next();
    if (next.done) return { events, fit: next.value, concept: learned };
    events.push(next.value);
  }
}

const stepsOf = (events: readonly SteerEvent[]) => events.flatMap((e) => (e.kind === 'step' ? [e] : []));
const tensorsOf = ({ rows, unet, text, lora }: Concept) =>
  new Map([...unet, ...text, ...(lora?.factors ?? []), ...(rows ? [['rows', rows] as const] : [])]);

test('samples are made again by the concept as it is fitted by then, and a resumed fit does so too', async () => {
  const once = await run('dreambooth-lora');
  for (const options of [{}, { loraRank: 2 }]) {
    const asked = { ...options, refreshEvery: 2 };
    const whole = await run('dreambooth-lora', asked, { checkpointEvery: 1 });
    const guided = whole.events.flatMap((e) => (e.kind === 'guided' ? [e] : []));
    expect(guided.map(({ checkpoint }) => checkpoint !== null)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(whole.fit.guided[0]!.data).not.toEqual(once.fit.guided[0]!.data);
    const saved = whole.events.flatMap((e): SteerCheckpoint[] =>
      e.kind === 'checkpoint' ? [e.checkpoint] : [],
    );
    for (const at of saved.filter(({ step }) => step < 4)) {
      const resumed = await run('dreambooth-lora', asked, { resume: structuredClone(at) });
      expect(resumed.fit, `from step ${at.step}`).toEqual(whole.fit);
    }
  }
});

for (const method of [...Object.keys(personalizationMethods), 'dreambooth+text']) {
  test(`${method}: exactly what the concept learned trains, and the concept stays as it was`, async () => {
    const before = structuredClone(tensorsOf(await concept(method)));
    const { fit, events, concept: learned } = await run(method);
    expect(tensorsOf(learned)).toEqual(before);
    const after = tensorsOf(fit.delta);
    expect([...after.keys()]).toEqual([...before.keys()]);
    const moved = [...after].filter(([name, { data }]) =>
      data.some((v, i) => v !== before.get(name)!.data[i]),
    );
    expect(moved.map(([name]) => name)).toEqual([...before.keys()]);
    for (const { metrics, applied } of stepsOf(events)) {
      expect(applied).toBe(true);
      expect(Object.keys(metrics!)).toEqual(['delta2', 'gap', 'modeShift']);
    }
  });
}

test('stages and guided samples come in order', async () => {
  const { events, fit } = await run('dreambooth-lora');
  const stages = events.flatMap((e) => (e.kind === 'stage' ? [e.name] : []));
  expect([...new Set(stages)]).toEqual(['encode', 'invert', 'guide', 'compile', 'fit']);
  const guided = events.flatMap((e) => (e.kind === 'guided' ? [e] : []));
  expect(guided.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(guided.every(({ samples, loss }) => samples.length === 2 && loss! > 0)).toBe(true);
  expect(fit.guided).toHaveLength(2);
  expect(fit.guided[0]!.data).not.toEqual(fit.guided[1]!.data);
});

test('a resumed fit is bit-identical to an uninterrupted one, and makes no samples again', async () => {
  const whole = await run('custom-diffusion');
  const interrupted = await run('custom-diffusion', {}, { checkpointEvery: 2 });
  const [saved] = interrupted.events.flatMap((e): SteerCheckpoint[] =>
    e.kind === 'checkpoint' ? [e.checkpoint] : [],
  );
  const resumed = await run('custom-diffusion', {}, { resume: structuredClone(saved!) });
  expect(resumed.fit).toEqual(whole.fit);
  expect(resumed.events.some((e) => e.kind === 'guided')).toBe(false);
  expect(stepsOf(resumed.events)).toEqual(stepsOf(whole.events).slice(2));
  await expect(run('custom-diffusion', { gamma: 0.2 }, { resume: saved! })).rejects.toMatchObject({
    code: 'BAD_REQUEST',
  });
});
