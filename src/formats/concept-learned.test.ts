import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bytesSource } from '../util/byte-source';
import { ndArray } from '../util/nd-array';
import { readConcept } from './concept';
import { type ConceptContext, saveConcept } from './concept-export';
import { learnedFrom } from './concept-learned';

const folder = new URL('./golden/concepts/', import.meta.url);
const shapes = JSON.parse(readFileSync(new URL('base.json', folder), 'utf8'));
const base = {
  id: 'tiny',
  sha256: 'ab'.repeat(32),
  unet: new Map<string, readonly number[]>(Object.entries(shapes.unet)),
  textEncoder: new Map<string, readonly number[]>(Object.entries(shapes.textEncoder)),
};
const context: ConceptContext = {
  base,
  about: {
    title: 'Miso',
    method: 'dreambooth-lora',
    classWord: 'cat',
    token: 'sks',
    subject: 'sks cat',
    resolution: 64,
    predictionType: 'epsilon',
    appVersion: '0.1.0',
    date: '2026-11-24T18:00:00Z',
    training: { steps: 400, learningRate: 1e-4, seed: 7, images: 4 },
  },
};
const id = 'cd'.repeat(32);
const open = (bytes: Uint8Array, name: string) => readConcept(bytesSource(name, bytes), base);
const zeros = (shape: readonly number[]) =>
  ndArray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);

test('our own files say everything: also the rare word of a concept that learned none', async () => {
  const name = [...base.unet.keys()].find((key) => key.endsWith('attn2.to_k.weight'))!;
  const [out, width] = base.unet.get(name)! as [number, number];
  const low = {
    kind: 'low-rank',
    name,
    down: zeros([2, width]),
    up: zeros([out, 2]),
    scale: 1,
  } as const;
  const bytes = await saveConcept({ tokens: [], unet: [low], textEncoder: [] }, context);
  expect(learnedFrom(await open(bytes, 'x.safetensors'), id, 'x', base)).toEqual({
    id,
    name: 'Miso',
    token: 'sks',
    classWord: 'cat',
    subject: 'sks cat',
    method: 'dreambooth-lora',
    options: {},
    steps: 400,
    pictures: [],
    seed: 0,
    model: 'tiny',
    baseHash: base.sha256,
  });
});

test('whole weights, the text encoder among them, come back exactly from one file', async () => {
  const [unet, text] = [base.unet, base.textEncoder].map((names) =>
    [...names].slice(0, 2).map(([name, shape], i) => {
      const value = ndArray(zeros(shape).data.fill(i + 0.1), shape);
      return { kind: 'replace', name, value } as const;
    }),
  );
  const concept = { tokens: [], unet: unet!, textEncoder: text! };
  const file = await open(await saveConcept(concept, context), 'x.safetensors');
  const sorted = (changes: readonly { name: string }[]) =>
    changes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  expect(sorted(file.concept.unet)).toEqual(sorted(unet!));
  expect(sorted(file.concept.textEncoder)).toEqual(sorted(text!));
  expect(file.match).toMatchObject({ matched: 4, total: 4 });
});

test("other programs' files are named by their words, else after the file", async () => {
  const read = async (name: string) => {
    const bytes = new Uint8Array(readFileSync(new URL(name, folder)));
    return learnedFrom(await open(bytes, name), id, 'stem', base);
  };
  const lora = await read('lora_kohya.safetensors');
  expect(lora).toMatchObject({ method: 'lora', token: '', name: expect.any(String), model: 'tiny' });
});
