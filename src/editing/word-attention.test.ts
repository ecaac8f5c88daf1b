import { expect, test } from 'vitest';
import { createModel } from '../diffusion/model';
import { lookAt, spreadTimesteps } from '../diffusion/score';
import { SubjectMask } from '../diffusion/subject-mask';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { tinyModel } from '../training/tiny-model';
import { ndArray, sizeOf } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { attendToWords, type WordAttention, type WordMap } from './word-attention';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const model = createModel(tinyModel(backend), {});
const { schedule, latentShape } = model;
const latent = ndArray(createTorchRng(1).randn(sizeOf(latentShape)), latentShape);
const timesteps = spreadTimesteps(50, 949, 3);
const seed = 7;

async function look(text: string): Promise<readonly WordAttention[]> {
  const context = await model.embed(text);
  const prompt = model.tokenizer.encode(text);
  const looks = attendToWords({
    attend: model.attend,
    latent,
    context,
    prompt,
    schedule,
    timesteps,
    seed,
  });
  for (;;) {
    const next = await looks.next();
    if (next.done) return next.value;
  }
}

/** What the map was before it was stretched. */
const raw = ({ map, min, max }: WordMap): Float32Array => map.map((v) => min + v * (max - min));
const expectClose = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(a[i]).toBeCloseTo(b[i]!, 5);
};

test('every place gives all of its attention to the tokens of the prompt', async () => {
  const t = 500;
  const parts = await model.attend(
    lookAt(schedule, latent, t, { seed, index: 0 }),
    t,
    await model.embed('a dog'),
  );
  expect(parts.map(({ part }) => part).sort()).toEqual([
    'decoder',
    'decoder',
    'encoder',
    'encoder',
    'middle',
  ]);
  for (const { maps } of parts) {
    const [, tokens, h, w] = maps.shape as [number, number, number, number];
    for (let place = 0; place < h * w; place++) {
      let mass = 0;
      for (let token = 0; token < tokens; token++) mass += maps.data[token * h * w + place]!;
      expect(mass).toBeCloseTo(1, 5);
    }
  }
});

test('a word of several tokens has one map per part and size, stretched over [0,1]', async () => {
  const words = await look('a dog cat');
  expect(words.map(({ word, begin, end }) => [word, begin, end])).toEqual([
    ['a', 1, 2],
    ['dog', 2, 4],
    ['cat', 4, 5],
  ]);
  for (const { maps } of words) {
    expect(maps.map(({ part, size }) => `${part} ${size}`)).toEqual([
      'encoder 8',
      'encoder 4',
      'middle 4',
      'decoder 8',
      'decoder 4',
      'all 8',
      'all 4',
    ]);
    for (const { map, size, min, max } of maps) {
      expect(map).toHaveLength(size * size);
      expect([Math.min(...map), Math.max(...map)]).toEqual([0, 1]);
      expect(0 <= min && min < max && max <= 1).toBe(true);
    }
  }
});

test('all layers together show what the subject mask is made of', async () => {
  const prompt = 'a dog cat';
  const watched = model.watch(prompt, ['dog'])!;
  const context = await model.embed(prompt);
  const mask = new SubjectMask();
  for (const [index, t] of timesteps.entries()) {
    await watched.predictNoise(lookAt(schedule, latent, t, { seed, index }), t, context);
    mask.add(watched.latestMaps());
  }
  const { sum, count } = mask.state!;
  const dog = (await look(prompt)).find(({ word }) => word === 'dog')!;
  const all = dog.maps.find(({ part, size }) => part === 'all' && size === 8)!;
  expectClose(
    raw(all),
    sum.data.map((v) => v / count),
  );
});

test('all layers of a size are the mean of its parts, each by its number of maps', async () => {
  const t = timesteps[0]!;
  const seen = await model.attend(
    lookAt(schedule, latent, t, { seed, index: 0 }),
    t,
    await model.embed('cat'),
  );
  const at = (size: number) =>
    Object.fromEntries(seen.filter(({ maps }) => maps.shape[2] === size).map((it) => [it.part, it.count]));
  // one layer going down, one in the middle, two going up, of two heads each
  expect([at(8), at(4)]).toEqual([
    { encoder: 2, decoder: 4 },
    { encoder: 2, middle: 2, decoder: 4 },
  ]);
  const [cat] = await look('cat');
  const map = (part: WordMap['part']) => raw(cat!.maps.find((it) => it.part === part && it.size === 4)!);
  const [encoder, middle, decoder] = [map('encoder'), map('middle'), map('decoder')];
  expectClose(
    map('all'),
    encoder.map((v, i) => (v + middle[i]! + 2 * decoder[i]!) / 4),
  );
});

test('a network that overflows is an error', async () => {
  const looks = attendToWords({
    attend: async (...args) =>
      (await model.attend(...args)).map((part) => ({
        ...part,
        maps: { ...part.maps, data: part.maps.data.map(() => Number.NaN) },
      })),
    latent,
    context: await model.embed('cat'),
    prompt: model.tokenizer.encode('cat'),
    schedule,
    timesteps,
    seed,
  });
  await expect(looks.next()).rejects.toMatchObject({ code: 'NUMERIC' });
});
