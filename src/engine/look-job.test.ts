import { afterAll, expect, test } from 'vitest';
import { refOf } from '../document/concepts';
import type { Recipe } from '../document/document';
import { editMethods } from '../editing/methods';
import { readConcept } from '../formats/concept';
import { learnedFrom } from '../formats/concept-learned';
import { readConceptBase } from '../formats/model-folder';
import { storedTensor, writeSafetensors } from '../formats/safetensors';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { memoryBlobs } from '../storage/blobs';
import { bytesSource } from '../util/byte-source';
import { ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { createLocalEngine } from './engine';
import type { LookEvent, LookResult } from './events';
import { tinyHost, tinyPicture, tinyTree } from './tiny-tree';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const tree = tinyTree();
const host = tinyHost(backend, tree, memoryBlobs());
const engine = createLocalEngine(host);
afterAll(() => engine.dispose());

const photo = await tinyPicture(host, 1);
const recipe = (over: Partial<Recipe> = {}): Recipe => ({
  app: 'DreamSteerer Studio',
  version: 1,
  model: 'tiny',
  method: 'dds-sm',
  sourcePrompt: 'a cat',
  targetPrompt: 'a dog',
  subject: 'cat',
  seed: 3,
  options: editMethods['dds-sm']!.defaults,
  photo: { id: photo.id, width: photo.width, height: photo.height },
  square: { x: 2, y: 3, size: 16 },
  mask: null,
  concept: null,
  ...over,
});

/** A learned word of two vectors, as diffusers stores it. */
async function miso() {
  const vectors = storedTensor(ndArray(createTorchRng(5).randn(2 * 16), [2, 16]));
  const bytes = Uint8Array.from(writeSafetensors({ '<miso>': vectors }));
  const base = await readConceptBase(tree);
  const file = await readConcept(bytesSource('miso.safetensors', bytes), base);
  return refOf(learnedFrom(file, await host.writeBytes(bytes), 'miso', base));
}

async function look(
  over: Partial<Recipe> = {},
  timesteps: readonly number[] = [300],
  signal = new AbortController().signal,
  each: (event: LookEvent) => void = () => {},
): Promise<LookResult> {
  for await (const event of engine.look({ recipe: recipe(over), timesteps }, signal)) {
    each(event);
    if (event.kind === 'result') return event.value;
  }
  throw new Error('no result');
}
const wordsOf = (prompt: LookResult['source'] | null) => prompt?.words.map(({ word }) => word);

test('both descriptions are looked at, and progress is told', async () => {
  const fractions: (number | undefined)[] = [];
  const { source, target } = await look({}, [300, 600], undefined, (event) => {
    if (event.kind === 'stage' && event.name === 'look') fractions.push(event.fraction);
  });
  expect([source.text, target?.text]).toEqual(['a cat', 'a dog']);
  expect([wordsOf(source), wordsOf(target)]).toEqual([
    ['a', 'cat'],
    ['a', 'dog'],
  ]);
  expect(fractions).toEqual([0.25, 0.5, 0.75, 1]);
  expect((await look({ targetPrompt: '' })).target).toBeNull();
});

test('a concept is looked for by its own model, as one word however many vectors it has', async () => {
  const plain = await look();
  const concept = await miso();
  const { source, target } = await look({ targetPrompt: 'a <miso>', concept });
  expect(source).toEqual(plain.source);
  expect(target?.words.map(({ word, begin, end }) => [word, begin, end])).toEqual([
    ['a', 1, 2],
    ['<miso>', 2, 4],
  ]);
  expect(target!.words[0]!.maps).not.toEqual(plain.target!.words[0]!.maps);
});

test('other noise gives other maps, the same noise the same', async () => {
  const [a, b, c] = [await look(), await look(), await look({}, [700])];
  expect(b).toEqual(a);
  expect(c).not.toEqual(a);
});

test('noise levels beyond the schedule are refused; a look that is stopped ends', async () => {
  await expect(look({}, [1000])).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  await expect(look({}, [])).rejects.toThrow(/noise levels/);
  const stop = new AbortController();
  const stopped = look({}, [300, 600], stop.signal, ({ kind }) => kind === 'stage' && stop.abort());
  await expect(stopped).rejects.toThrow(/abort/);
});
