import { expect, test } from 'vitest';
import { LatentRgb } from '../diffusion/latent-rgb';
import type { DiffusionModel } from '../diffusion/model';
import { createSchedule } from '../diffusion/schedule';
import type { Recipe } from '../document/document';
import { rms } from '../editing/edit-step';
import { editMethods } from '../editing/methods';
import { memoryBlobs } from '../storage/blobs';
import { getImage, putImage } from '../storage/images';
import type { NdArray } from '../util/nd-array';
import { editJob } from './edit-job';
import type { EditEvent, EditRequest } from './events';
import { openFrames } from './frames';
import type { EngineHost } from './host';

/** Reads four words. */
const tokenizer = {
  encode(prompt: string) {
    const words = prompt.split(' ');
    return { words: words.slice(0, 4), truncated: words.length > 4 };
  },
};

/** A model small enough to see through: 16 px pictures, 2 × 2 latents, an encoder that averages. */
function model(
  dtype: 'float32' | 'float16',
  predict: (x: NdArray, context: NdArray) => NdArray,
): DiffusionModel {
  const average = (picture: NdArray): NdArray => {
    const data = new Float32Array(3 * 4);
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < 16; y++) {
        for (let x = 0; x < 16; x++)
          data[c * 4 + (y >> 3) * 2 + (x >> 3)]! += picture.data[(c * 16 + y) * 16 + x]! / 64;
      }
    }
    return { data, shape: [1, 3, 2, 2] };
  };
  const spread = (latent: NdArray): NdArray => {
    const at = (i: number): number =>
      (Math.floor(i / 256) * 2 + ((Math.floor(i / 16) % 16) >> 3)) * 2 + ((i % 16) >> 3);
    return {
      data: Float32Array.from({ length: 3 * 256 }, (_, i) => latent.data[at(i)]!),
      shape: [1, 3, 16, 16],
    };
  };
  return {
    parts: null as never,
    unet: null as never,
    limits: {},
    dtype,
    size: 16,
    latentShape: [1, 3, 2, 2],
    schedule: createSchedule(),
    tokenizer: tokenizer as never,
    latentRgb: new LatentRgb(3),
    encode: async (picture) => average(picture),
    decode: async (latent) => spread(latent),
    personalise: () => Promise.reject(new Error('unused')),
    embed: async (prompt) => ({ data: Float32Array.of(prompt.length), shape: [1, 1, 1] }),
    predictNoise: async (x, _, context) => predict(x, context),
    watch: () => null,
    attend: async () => [],
    dispose: async () => {},
  };
}

const healthy = (x: NdArray, context: NdArray): NdArray => ({
  data: x.data.map(() => context.data[0]! / 10),
  shape: x.shape,
});
const overflowing = (x: NdArray): NdArray => ({
  data: x.data.map(() => Number.POSITIVE_INFINITY),
  shape: x.shape,
});

async function setUp(steps = 3, over: Partial<Recipe> = {}) {
  const blobs = memoryBlobs();
  const host: EngineHost = {
    startBackend: () => Promise.reject(new Error('unused')),
    openModel: () => Promise.reject(new Error('unused')),
    readImage: (id) => getImage(blobs, id),
    writeImage: (pixels, name) => putImage(blobs, pixels, name),
    readBytes: (id) => blobs.get(id),
    writeBytes: (bytes) => blobs.put(bytes),
    deleteBytes: (id) => blobs.delete(id),
  };
  const data = new Uint8ClampedArray(24 * 20 * 4).map((_, i) => (i % 4 === 3 ? 255 : i % 200));
  const photo = await host.writeImage({ data, width: 24, height: 20 }, 'photo');
  const recipe: Recipe = {
    app: 'DreamSteerer Studio',
    version: 1,
    model: 'any',
    method: 'dds',
    sourcePrompt: 'a cat',
    targetPrompt: 'a small dog',
    subject: 'cat',
    seed: 3,
    options: { ...editMethods.dds!.defaults, steps },
    photo: { id: photo.id, width: 24, height: 20 },
    square: { x: 2, y: 3, size: 16 },
    mask: null,
    concept: null,
    ...over,
  };
  return { host, request: { recipe } };
}

async function collect(events: AsyncGenerator<EditEvent, void>, each: (event: EditEvent) => void = () => {}) {
  const all: EditEvent[] = [];
  for await (const event of events) {
    all.push(event);
    each(event);
  }
  return all;
}
const resultOf = (events: readonly EditEvent[]) => {
  const last = events.at(-1)!;
  return last.kind === 'result' ? last.value : null;
};
const never = new AbortController().signal;

test('an edit ends with a stored square, its reconstruction and the recipe as it was', async () => {
  const { host, request } = await setUp();
  const events = await collect(editJob(host, async () => model('float32', healthy), request, never));
  const result = resultOf(events)!;
  expect(result.recipe).toEqual(request.recipe);
  expect(result).toMatchObject({ steps: 3, stopped: false });
  expect((await host.readImage(result.square.id)).width).toBe(16);
  expect(result.square.id).not.toBe(result.reconstruction.id);
  expect(events.filter(({ kind }) => kind === 'preview')).toHaveLength(3);
});

test('the same recipe gives the same picture, another seed another', async () => {
  const noisy = (x: NdArray, context: NdArray): NdArray => ({
    data: x.data.map((v) => Math.tanh(v * context.data[0]!)),
    shape: x.shape,
  });
  const square = async (seed: number) => {
    const { host, request } = await setUp(3, { seed });
    return resultOf(await collect(editJob(host, async () => model('float32', noisy), request, never)))!.square
      .id;
  };
  expect(await square(1)).toBe(await square(1));
  expect(await square(1)).not.toBe(await square(2));
});

test('a stop keeps the steps that were done', async () => {
  const { host, request } = await setUp(100);
  const stop = new AbortController();
  const events = await collect(
    editJob(host, async () => model('float32', healthy), request, stop.signal),
    (event) => {
      if (event.kind === 'step' && event.index === 4) stop.abort();
    },
  );
  expect(resultOf(events)).toMatchObject({ steps: 5, stopped: true });
});

test('a stop before the first step is an abort, not a picture', async () => {
  const { host, request } = await setUp();
  const stop = new AbortController();
  stop.abort(new DOMException('cancelled', 'AbortError'));
  await expect(
    collect(editJob(host, async () => model('float32', healthy), request, stop.signal)),
  ).rejects.toThrow('cancelled');
});

test('a description that is longer than the model reads is told, with where it ends', async () => {
  const { host, request } = await setUp(1, { targetPrompt: 'a small dog on a bench' });
  const events = await collect(editJob(host, async () => model('float32', healthy), request, never));
  const notices = events.flatMap((event) => (event.kind === 'notice' ? [event] : []));
  expect(notices).toEqual([
    { kind: 'notice', code: 'PROMPT_CUT', message: expect.stringMatching(/bench.*after “on”/) },
  ]);
});

test('half precision that overflows is announced and run again in full precision', async () => {
  const { host, request } = await setUp();
  const asked: string[] = [];
  const events = await collect(
    editJob(
      host,
      async (_, precision) => {
        asked.push(precision);
        return precision === 'best' ? model('float16', overflowing) : model('float32', healthy);
      },
      request,
      never,
    ),
  );
  expect(asked).toEqual(['best', 'float32']);
  expect(events.some((event) => event.kind === 'notice' && event.code === 'FP32_RETRY')).toBe(true);
  expect(resultOf(events)).toMatchObject({ steps: 3 });
});

test('full precision that overflows is an error, never a black picture', async () => {
  const { host, request } = await setUp();
  const run = collect(editJob(host, async () => model('float32', overflowing), request, never));
  await expect(run).rejects.toMatchObject({ code: 'NUMERIC' });
});

test.each([
  [{ method: 'magic' }, 'magic'],
  [{ options: { steps: 0 } }, 'steps'],
  [{ options: { stepz: 3 } }, 'stepz'],
  [{ options: { tMin: 500, tMax: 400 } }, 'tMin'],
  [{ options: { stepSchedule: 'sawtooth' } }, 'stepSchedule must be one of constant, linear, cosine, step'],
  [{ square: { x: 20, y: 0, size: 16 } }, 'inside the photo'],
])('a recipe that cannot run is refused by name: %o', async (over, named) => {
  const { host, request } = await setUp(3, over as Partial<Recipe>);
  const run = collect(editJob(host, async () => model('float32', healthy), request, never));
  await expect(run).rejects.toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining(named) });
});

const rippling = (x: NdArray, context: NdArray): NdArray => ({
  data: x.data.map((v, i) => Math.tanh(v * context.data[0]!) + Math.cos(i)),
  shape: x.shape,
});
const run = (host: EngineHost, request: EditRequest) =>
  collect(editJob(host, async () => model('float32', rippling), request, never)).then(
    (events) => resultOf(events)!,
  );

test('an edit that goes on from a recorded step repeats the rest bit for bit, or turns away with other settings', async () => {
  const { host, request } = await setUp(6);
  const record = { frames: true, directions: true };
  const whole = await run(host, { ...request, record });
  const from = { frames: whole.frames!, frame: 2 };
  const rest = await run(host, { recipe: { ...request.recipe, from }, record });
  expect(rest.square.id).toBe(whole.square.id);
  // the frames before the branch are part of it
  expect(rest.frames).toBe(whole.frames);
  const turned = await run(host, {
    recipe: { ...request.recipe, from, targetPrompt: 'a very small dog' },
    record,
  });
  expect(turned.square.id).not.toBe(whole.square.id);
  const [before, after] = await Promise.all([whole, turned].map(({ frames }) => openFrames(host, frames!)));
  expect(await after!.latent(2)).toEqual(await before!.latent(2));
  expect(await after!.direction(2)).toEqual(await before!.direction(2));
  expect(await after!.latent(3)).not.toEqual(await before!.latent(3));
});

test('nothing is recorded unless asked for, and a branch of what does not fit is refused', async () => {
  const { host, request } = await setUp(4);
  expect((await run(host, request)).frames).toBeNull();
  const { frames } = await run(host, { ...request, record: { frames: true } });
  const branch = (over: Partial<Recipe>, frame = 1) =>
    run(host, { recipe: { ...request.recipe, from: { frames: frames!, frame }, ...over } });
  await expect(branch({}, 3)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  await expect(branch({ square: { x: 0, y: 0, size: 16 } })).rejects.toThrow(/same photo, square and model/);
  await expect(branch({ method: 'p2p', options: {} })).rejects.toThrow(/cannot start/);
  await expect((await openFrames(host, frames!)).direction(1)).rejects.toThrow(/no direction/);
});

test('directions are enlarged to be seen, by one factor for all of an edit', async () => {
  const { host, request } = await setUp(5);
  const { frames } = await run(host, { ...request, record: { directions: true } });
  const steps = await openFrames(host, frames!);
  const sizes = [];
  for (let frame = 0; frame < 5; frame++) sizes.push(rms(await steps.direction(frame)));
  const [least, , median] = sizes.toSorted((a, b) => a - b);
  expect((await steps.directionGain()) * median!).toBeCloseTo(Math.max(0.15, median!), 6);
  expect(least).toBeLessThan(median!);
  await expect(steps.latent(0)).rejects.toThrow(/no latent/);
});
