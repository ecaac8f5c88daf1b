import { expect, test } from 'vitest';
import { createTextEncoder } from '../diffusion/text-encoder';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { TOKEN_ROWS } from '../training/denoising-loss';
import type { Checkpoint } from '../training/loop';
import { tinyModel } from '../training/tiny-model';
import { type NdArray, ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { flipped, viewsOf } from './augment';
import { applyConcept, type Concept } from './concept';
import { encodeInstances } from './instances';
import { type LearnEvent, type LearnHost, learn } from './learn';
import { factorNames, mergeLora } from './lora';
import type { LearnOptions } from './method';
import { personalizationMethods } from './methods';
import { conceptOf, plan } from './plan';
import { onSubject } from './subject-region';

const backend = await openBackend('node', { load: loadOrtNode, threads: 2 });
const base = tinyModel(backend);
const picture = (seed: number): NdArray =>
  ndArray(
    createTorchRng(seed)
      .rand(3 * 256)
      .map((v) => 2 * v - 1),
    [1, 3, 16, 16],
  );

/** Nearest neighbour: enough to see where pixels go. */
const resize = async ({ data, shape }: NdArray, side: number): Promise<NdArray> => {
  const from = shape[3]!;
  const at = (i: number) => Math.floor((i * from) / side);
  const out = new Float32Array(3 * side * side);
  for (let i = 0; i < out.length; i++) {
    const [c, y, x] = [Math.floor(i / side / side), Math.floor(i / side) % side, i % side];
    out[i] = data[(c * from + at(y)) * from + at(x)]!;
  }
  return ndArray(out, [1, 3, side, side]);
};

const request = (method: string, options: Record<string, number> = {}) => ({
  method,
  options: {
    ...personalizationMethods[method]!.defaults,
    steps: 4,
    learningRate: 1e-2,
    priorPictures: 0,
    ...options,
  } satisfies LearnOptions as LearnOptions,
  pictures: [picture(1), picture(2)],
  token: '<miso>',
  classWord: 'cat',
  seed: 3,
});

async function run(method: string, options: Record<string, number> = {}, host: Partial<LearnHost> = {}) {
  const events: LearnEvent[] = [];
  const job = learn(base, request(method, options), { resize, limits: {}, ...host });
  for (;;) {
    const next = await job.next();
    if (next.done) return { events, concept: conceptOf(request(method, options), next.value.state) };
    events.push(next.value);
  }
}

const losses = (events: readonly LearnEvent[]): number[] =>
  events.flatMap((e) => (e.kind === 'step' ? [e.loss] : []));

const expectedNames: Record<string, (concept: Concept) => void> = {
  'textual-inversion': ({ rows, unet, text, lora }) => {
    expect(rows!.shape).toEqual([1, 16]);
    expect([unet.size, text.size, lora]).toEqual([0, 0, null]);
  },
  'custom-diffusion': ({ rows, unet, lora }) => {
    expect(rows!.shape).toEqual([1, 16]);
    expect([...unet.keys()].every((name) => /attn2\.to_[kv]\.weight$/.test(name))).toBe(true);
    expect([unet.size, lora]).toEqual([14, null]);
  },
  'dreambooth-lora': ({ rows, unet, lora }) => {
    expect([rows, unet.size]).toEqual([null, 0]);
    expect(lora!.factors.size).toBe(7 * 8 * 2);
  },
};

for (const [method, check] of Object.entries(expectedNames)) {
  test(`${method} learns exactly its own weights and leaves the base as it was`, async () => {
    const before = await base.unet.weights.read(
      'mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight',
    );
    const { concept, events } = await run(method, { batch: 1 });
    check(concept);
    expect(losses(events)).toHaveLength(4);
    const after = await base.unet.weights.read(
      'mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight',
    );
    expect(after).toEqual(before);
  });
}

test('a resumed run gives the concept of an uninterrupted one, bit for bit', async () => {
  const whole = await run('custom-diffusion', { batch: 1 });
  const interrupted = await run('custom-diffusion', { batch: 1 }, { checkpointEvery: 2 });
  const saved = interrupted.events.flatMap((e): Checkpoint[] =>
    e.kind === 'checkpoint' ? [e.checkpoint] : [],
  );
  const resumed = await run('custom-diffusion', { batch: 1 }, { resume: saved[0]! });
  expect(losses(resumed.events)).toEqual(losses(whole.events).slice(2));
  expect(resumed.concept).toEqual(whole.concept);
  await expect(
    run('custom-diffusion', { batch: 1, priorWeight: 2 }, { resume: saved[0]! }),
  ).rejects.toMatchObject({
    code: 'BAD_REQUEST',
  });
});

test('closed wherever it stands, a run leaves no program and no memory behind', async () => {
  await run('dreambooth', { steps: 1 });
  const before = backend.memory.use();
  for (const stage of ['encode', 'compile', 'learn']) {
    const job = learn(base, request('dreambooth'), { resize, limits: {} });
    for (;;) {
      const next = await job.next();
      if (next.done || (next.value.kind === 'stage' && next.value.name === stage)) break;
    }
    await job.return(null as never);
    expect(backend.memory.use(), stage).toEqual(before);
  }
});

test('prior preservation makes pictures of the class and learns from both', async () => {
  const { events } = await run('dreambooth', { priorPictures: 2, steps: 1 }, { priorSteps: 2 });
  const stages = events.flatMap((e) => (e.kind === 'stage' ? [[e.name, e.fraction]] : []));
  expect(stages).toEqual([
    ['encode', undefined],
    ['prior', 0.5],
    ['prior', 1],
    ['compile', undefined],
    ['learn', undefined],
  ]);
});

test('recomputing blocks and attention tiles trains the same', async () => {
  const plain = await run('dreambooth-lora');
  const spared = await run('dreambooth-lora', {}, { recompute: ['block', 'tile'], attentionTile: 16 });
  losses(plain.events).forEach((loss, i) => {
    expect(losses(spared.events)[i]! / loss).toBeCloseTo(1, 4);
  });
});

test('a concept applies to its base and changes only what it learned', async () => {
  const { concept } = await run('dreambooth-lora');
  const { unet } = applyConcept(base, concept);
  const name = 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight';
  const [a, b] = factorNames(name).map((factor) => concept.lora!.factors.get(factor)!);
  const changed = await unet.weights.read(name);
  expect(changed).toEqual(mergeLora(await base.unet.weights.read(name), a!, b!, 1));
  expect(changed).not.toEqual(await base.unet.weights.read(name));
  expect(unet.weights.owner('conv_in.weight')).toBe(base.unet.weights);

  const other = {
    ...concept,
    lora: { ...concept.lora!, factors: new Map([['elsewhere.lora_A.weight', a!]]) },
  };
  expect(() => applyConcept(base, other)).toThrow(/another model/);
});

test('a learned word conditions the text encoder; prompts without it are as before', async () => {
  const { concept } = await run('textual-inversion', { vectors: 2 });
  const { textEncoder, tokenizer } = applyConcept(base, concept);
  const plain = createTextEncoder(base.textEncoder.config, base.textEncoder.weights, base.tokenizer);
  const learned = createTextEncoder(textEncoder.config, textEncoder.weights, tokenizer, textEncoder.learned);
  expect(tokenizer.placeholderIds('<miso>')).toHaveLength(2);
  expect(await learned.embed('a cat')).toEqual(await plain.embed('a cat'));
  expect(await learned.embed('a <miso>')).not.toEqual(await plain.embed('a <miso>'));
  const wide = { ...concept, rows: ndArray(new Float32Array(8), [1, 8]) };
  expect(() => applyConcept(base, wide)).toThrow(/another model/);
});

test('requests that cannot run are refused before anything is computed', async () => {
  const refused = (change: object) => {
    const job = learn(base, { ...request('dreambooth'), ...change }, { resize, limits: {} });
    return expect(job.next()).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  };
  await refused({ method: 'magic' });
  await refused({ pictures: [] });
  await refused({ token: ' ' });
  await refused({ options: { ...request('dreambooth').options, steps: 0 } });
  await refused({ options: { ...request('dreambooth').options, depth: 1 } });
});

test('a run that does not fit is refused before its first step', async () => {
  const job = run('dreambooth', {}, { limits: { total: 1_000_000 } });
  await expect(job).rejects.toMatchObject({ code: 'TOO_BIG' });
  const { events } = await run('dreambooth', {}, { limits: { total: 100_000_000 } });
  expect(losses(events)).toHaveLength(4);
});

test("Custom Diffusion's views stay inside the picture, and their valid region inside the pasted part", async () => {
  const white = ndArray(new Float32Array(3 * 256 * 256).fill(1), [1, 3, 256, 256]);
  const views = await viewsOf(white, 'scale', { resize, factor: 8, seed: 4 });
  const pasted = views.filter(({ mask }) => mask);
  expect(pasted).toHaveLength(8);
  for (const { picture: view, mask } of pasted) {
    mask!.forEach((valid, i) => {
      const [y, x] = [Math.floor(i / 32) * 8, (i % 32) * 8];
      for (const at of [y * 256 + x, (y + 7) * 256 + x + 7]) if (valid) expect(view.data[at]).toBe(1);
    });
  }
  for (const { picture: view, prefix } of views.filter(({ mask }) => !mask)) {
    expect(view.data.every((v) => v === 1)).toBe(true);
    expect(prefix).toMatch(/zoomed in |close up /);
  }
  expect(flipped(flipped(picture(1)))).toEqual(picture(1));
  expect(flipped(picture(1)).data[0]).toBe(picture(1).data[15]);
});

test('examples count where the model sees the class word, within what was valid', async () => {
  const valid = new Float32Array(64).map((_, i) => Number(i % 8 < 4));
  const [encoded] = await encodeInstances(base, request('textual-inversion'), resize);
  const example = { ...encoded!, mask: valid };
  const options = { classWord: 'cat', seed: 1, limits: {} };
  const [seen, half] = [
    await onSubject(base, [encoded!], options),
    await onSubject(base, [example], options),
  ].map((examples) => examples[0]!.mask!);
  expect(Math.max(...seen!)).toBeCloseTo(1, 5);
  expect(Math.min(...seen!)).toBeGreaterThanOrEqual(0);
  expect(new Set(seen).size).toBeGreaterThan(30);
  expect(half).toEqual(seen!.map((v, i) => v * valid[i]!));
  const nowhere = { ...encoded!, mask: new Float32Array(64) };
  expect((await onSubject(base, [nowhere], options))[0]).toEqual(nowhere);
});

test('without variation pictures are shown whole, as they are and mirrored', async () => {
  const of = async (varied: number) => {
    const examples = await encodeInstances(base, request('custom-diffusion', { varied }), resize);
    return { count: examples.length, prompts: [...new Set(examples.flatMap(({ prompts }) => prompts))] };
  };
  expect(await of(0)).toEqual({ count: 4, prompts: ['a photo of a <miso> cat'] });
  expect((await of(1)).count).toBe(24);
  expect((await of(1)).prompts).toContain('photo of a <miso> cat');
});

test("a new word starts as the class word, or as the model's rare word", async () => {
  const start = async (method: string, rareWord: string) => {
    const { trainables } = plan({ ...base, rareWord }, request(method));
    return trainables.get(TOKEN_ROWS)!.start();
  };
  expect(await start('custom-diffusion', 'cat')).toEqual(await start('textual-inversion', 'dog'));
  expect(await start('custom-diffusion', 'dog')).not.toEqual(await start('custom-diffusion', 'cat'));
});
