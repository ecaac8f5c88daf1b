import { expect, test } from 'vitest';
import { bytesSource } from '../util/byte-source';
import { ndArray } from '../util/nd-array';
import type { Concept } from './concept';
import { saveConcept } from './concept-export';
import { readFit, saveFit } from './fit-file';
import { openSafetensors, storedTensor, writeSafetensors } from './safetensors';

const key = 'mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight';
const shapes = new Map([[key, [4, 3]]]);
const base = { id: 'tiny', sha256: '12'.repeat(32), unet: shapes, textEncoder: new Map() };
const about = {
  title: 'Miso, fitted',
  method: 'dreambooth-lora',
  classWord: 'cat',
  token: 'sks',
  resolution: 16,
  predictionType: 'epsilon',
  appVersion: '1',
  date: '2026-11-25T00:00:00Z',
  training: { steps: 7, learningRate: 1e-3, seed: 0, images: 1 },
} as const;
const down = ndArray([1, 2, 3], [1, 3]);
const up = ndArray([4, 5, 6, 7], [4, 1]);
const concept: Concept = {
  tokens: [],
  unet: [{ kind: 'low-rank', name: key, down, up, scale: 1 }],
  textEncoder: [],
};
const fit = { concept, parent: 'ab'.repeat(32), key: 'cd'.repeat(32), onTop: false };
const bytes = await saveFit(fit, { base, about });
const read = (file: Uint8Array) => readFit(bytesSource('miso.safetensors', file), base);

/** The same file with other things in its header or tensors. */
async function altered(metadata: Record<string, string>, first?: Float32Array): Promise<Uint8Array> {
  const file = await openSafetensors(bytesSource('fit', bytes));
  const names = [...file.tensors.keys()];
  const tensors = await Promise.all(names.map(async (name) => [name, await file.read(name)] as const));
  const all = Object.fromEntries(tensors);
  const change = names.find((name) => name.endsWith('.lora_down.weight'))!;
  if (first) all[change] = storedTensor({ data: first, shape: [1, 3] });
  return writeSafetensors(all, { ...file.metadata, ...metadata });
}

test('a fit comes back number for number, with its parent and key', async () => {
  expect(await read(bytes)).toEqual({ ...fit, steps: 7 });
  expect((await read(await saveFit({ ...fit, onTop: true }, { base, about }))).onTop).toBe(true);
});

test('steps that are no number are none', async () => {
  expect((await read(await altered({ 'dreamsteerer.steps': '1e99' }))).steps).toBe(0);
});

test.each<[string, () => Promise<Uint8Array>, string]>([
  ['a concept', () => saveConcept(concept, { base, about }), 'not one that was fitted'],
  ['a key that is a path', () => altered({ 'dreamsteerer.fit_key': '../../x' }), 'not one that was fitted'],
  ['a parent too short', () => altered({ 'dreamsteerer.parent': 'ab' }), 'not one that was fitted'],
  ['a place of no kind', () => altered({ 'dreamsteerer.fit_on_top': 'maybe' }), 'not one that was fitted'],
  ['numbers that are none', () => altered({}, Float32Array.of(1, Number.NaN, 2)), 'not finite'],
  ['half a file', async () => bytes.slice(0, bytes.length - 8), 'miso.safetensors'],
  ['half a header', async () => bytes.slice(0, 40), 'miso.safetensors'],
  ['nothing', async () => new Uint8Array(0), 'miso.safetensors'],
])('%s is refused by name', async (_, file, why) => {
  await expect(read(await file())).rejects.toMatchObject({ code: 'BAD_FILE' });
  await expect(read(await file())).rejects.toThrow(why);
});

test('a fit for another model is refused', async () => {
  const other = { ...base, unet: new Map([[key, [4, 5]]]) };
  const reading = readFit(bytesSource('miso.safetensors', bytes), other);
  await expect(reading).rejects.toMatchObject({ code: 'UNSUPPORTED_MODEL' });
});
