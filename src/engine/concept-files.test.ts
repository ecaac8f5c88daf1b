import { expect, test } from 'vitest';
import type { LearnedConcept } from '../document/document';
import { type Concept as FileConcept, readConcept } from '../formats/concept';
import { saveConcept, writeLora } from '../formats/concept-export';
import type { ConceptAbout } from '../formats/concept-metadata';
import { readConceptBase } from '../formats/model-folder';
import type { LowRankChange } from '../formats/weight-change';
import { applyConcept, type Concept } from '../personalization/concept';
import { learn } from '../personalization/learn';
import type { LearnOptions } from '../personalization/method';
import { personalizationMethods } from '../personalization/methods';
import { conceptOf } from '../personalization/plan';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { conceptHash } from '../steering/fit';
import { tinyModel } from '../training/tiny-model';
import { bytesSource } from '../util/byte-source';
import { type NdArray, ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { fromFileConcept, toFileConcept } from './concept-files';
import { tinyTree } from './tiny-tree';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const parts = tinyModel(backend);
const base = await readConceptBase(tinyTree());
const noise = (seed: number, shape: readonly number[]): NdArray =>
  ndArray(createTorchRng(seed).randn(shape.reduce((a, b) => a * b)), shape);

async function learned(name: string): Promise<Concept> {
  const [method, option] = name.split('+') as [string, string?];
  const options = {
    ...personalizationMethods[method]!.defaults,
    steps: 1,
    learningRate: 1e-2,
    batch: 1,
    priorPictures: 0,
    textEncoder: option === 'text' ? 1 : 0,
    ...(option === 'vectors' && { vectors: 3 }),
  } satisfies LearnOptions as LearnOptions;
  const pictures = [noise(1, [1, 3, 16, 16])];
  const request = { method, options, pictures, token: '<miso>', classWord: 'cat', seed: 3 };
  const job = learn(parts, request, { resize: async (x) => x, limits: {} });
  for (;;) {
    const next = await job.next();
    if (next.done) return conceptOf(request, next.value.state);
  }
}

const aboutOf = ({ method, token, classWord, subject }: Concept): ConceptAbout => ({
  title: 'Miso',
  method,
  token,
  classWord,
  subject,
  resolution: 16,
  predictionType: 'epsilon',
  appVersion: '1',
  date: '2026-11-25T00:00:00Z',
});
const entry = ({ method, token, classWord, subject }: Omit<Concept, 'rows'>): Omit<LearnedConcept, 'id'> => ({
  name: 'Miso',
  token,
  classWord,
  subject,
  method,
  options: {},
  steps: 1,
  pictures: [],
  seed: 0,
  model: 'tiny',
  baseHash: null,
});

test.each([
  'textual-inversion',
  'textual-inversion+vectors',
  'dreambooth-lora',
  'custom-diffusion',
  'dreambooth',
  'dreambooth+text',
])('%s comes back from its file as it was learned, number for number', async (name) => {
  const concept = await learned(name);
  const bytes = await saveConcept(toFileConcept(concept), { base, about: aboutOf(concept) });
  const { concept: read } = await readConcept(bytesSource('miso.safetensors', bytes), base);
  const back = await fromFileConcept(read, entry(concept), parts, false);
  expect(back).toEqual(concept);
  expect(await conceptHash(back)).toBe(await conceptHash(concept));
});

/** A LoRA as another program may have trained it. */
const imported = { method: 'lora', token: '', classWord: '', subject: '', unet: new Map(), text: new Map() };
const attention = 'up_blocks.1.attentions.0.transformer_blocks.0.attn2';
const query = (network: 'unet' | 'text', rank: number, scale: number): LowRankChange => {
  const name =
    network === 'unet' ? `${attention}.to_q.weight` : 'text_model.encoder.layers.0.self_attn.q_proj.weight';
  const [out, width] = parts[network === 'unet' ? 'unet' : 'textEncoder'].weights.shape(name) as [
    number,
    number,
  ];
  return { kind: 'low-rank', name, down: noise(5, [rank, width]), up: noise(6, [out, rank]), scale };
};
const readLora = async (concept: FileConcept): Promise<FileConcept> => {
  const about = aboutOf({ ...imported, rows: null, lora: null });
  const bytes = await writeLora(concept, { base, about }, { dtype: 'F32' });
  return (await readConcept(bytesSource('other.safetensors', bytes), base)).concept;
};
const weightIn = async (concept: Concept, part: 'unet' | 'textEncoder', name: string) =>
  (await applyConcept(parts, concept)[part].weights.read(name)).data;
const close = (a: Float32Array, b: Float32Array): void =>
  a.forEach((v, i) => {
    expect(v).toBeCloseTo(b[i]!, 5);
  });

test('a LoRA of another program trains, ranks and scales may differ', async () => {
  const other = { ...query('unet', 3, 0.5), name: `${attention}.to_out.0.weight` };
  const [out, width] = parts.unet.weights.shape(other.name) as [number, number];
  const wide = { ...other, down: noise(7, [3, width]), up: noise(8, [out, 3]) };
  const file = await readLora({ tokens: [], unet: [query('unet', 2, 2), wide], textEncoder: [] });
  const concept = await fromFileConcept(file, entry({ ...imported, lora: null }), parts, false);
  expect(concept.lora!.factors.size).toBe(4);
  const merged = await fromFileConcept(
    { ...file, unet: [...file.unet, addition()] },
    entry({ ...imported, lora: null }),
    parts,
    true,
  );
  for (const name of [wide.name, `${attention}.to_q.weight`]) {
    const plain = (await parts.unet.weights.read(name)).data;
    expect(await weightIn(concept, 'unet', name)).not.toEqual(plain);
    close(await weightIn(concept, 'unet', name), await weightIn(merged, 'unet', name));
  }
});

const addition = () => {
  const name = `${attention}.to_out.0.bias`;
  return { kind: 'add', name, value: noise(9, parts.unet.weights.shape(name)) } as const;
};

test.each<[string, FileConcept, RegExp]>([
  [
    'an update of the text encoder',
    { tokens: [], unet: [], textEncoder: [query('text', 2, 1)] },
    /text encoder/,
  ],
  ['additions', { tokens: [], unet: [query('unet', 2, 1), addition()], textEncoder: [] }, /mixes/],
])('%s cannot train, but stays below an update on top', async (_, concept, why) => {
  const words = entry({ ...imported, lora: null });
  const refused = fromFileConcept(concept, words, parts, false);
  await expect(refused).rejects.toMatchObject({ code: 'BAD_REQUEST', message: why });
  const whole = await fromFileConcept(concept, words, parts, true);
  const [change] = [...concept.textEncoder, ...concept.unet];
  const part = concept.textEncoder.length > 0 ? 'textEncoder' : 'unet';
  expect(await weightIn(whole, part, change!.name)).not.toEqual(
    (await parts[part].weights.read(change!.name)).data,
  );
});

test('several words are refused', async () => {
  const tokens = ['<a>', '<b>'].map((token) => ({ token, vectors: noise(1, [1, 16]) }));
  const file = { tokens, unet: [], textEncoder: [] };
  await expect(fromFileConcept(file, entry({ ...imported, lora: null }), parts, true)).rejects.toMatchObject({
    code: 'BAD_REQUEST',
    message: /2 words/,
  });
});
