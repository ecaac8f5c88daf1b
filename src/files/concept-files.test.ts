import { expect, test } from 'vitest';
import type { LearnedConcept } from '../document/document';
import { type Concept, readConcept } from '../formats/concept';
import type { ConceptBase } from '../formats/concept-base';
import { saveConcept } from '../formats/concept-export';
import { readConceptBase } from '../formats/model-folder';
import { storedTensor, writeSafetensors } from '../formats/safetensors';
import { memoryBlobs } from '../storage/blobs';
import { bytesSource, type FileTree } from '../util/byte-source';
import { ndArray, sizeOf } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { createConceptFiles } from './concept-files';

const attention = 'mid_block.attentions.0.transformer_blocks.0.attn2';
const weights = (shapes: Readonly<Record<string, readonly number[]>>): Uint8Array => {
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const value = ndArray(createTorchRng(9).randn(sizeOf(shape)), shape);
    return [name, storedTensor(value)] as const;
  });
  return writeSafetensors(Object.fromEntries(tensors), {});
};
/** As much of a checkpoint as concepts need to know. */
const contents: Readonly<Record<string, Uint8Array>> = {
  'unet/config.json': new TextEncoder().encode('{}'),
  'unet/diffusion_pytorch_model.safetensors': weights({
    'conv_in.weight': [8, 4, 3, 3],
    [`${attention}.to_q.weight`]: [8, 8],
    [`${attention}.to_k.weight`]: [8, 16],
    [`${attention}.to_v.weight`]: [8, 16],
    'conv_out.weight': [4, 8, 3, 3],
  }),
  'text_encoder/model.safetensors': weights({ 'text_model.embeddings.token_embedding.weight': [20, 16] }),
};
const tree: FileTree = {
  name: 'tiny',
  open: async (path) => (contents[path] ? bytesSource(path, contents[path]) : null),
};
const base = await readConceptBase(tree);
const blobs = memoryBlobs();
const files = createConceptFiles(blobs, async () => tree);

/** Every weight of the UNet, or those that Custom Diffusion trains, replaced. */
const replaced = ({ unet }: ConceptBase, names: RegExp): Concept => ({
  tokens: [],
  unet: [...unet]
    .filter(([name]) => names.test(name))
    .map(([name, shape], i) => ({
      kind: 'replace' as const,
      name,
      value: ndArray(createTorchRng(i).randn(sizeOf(shape)), shape),
    })),
  textEncoder: [],
});

async function stored(concept: Concept, method: string): Promise<LearnedConcept> {
  const about = {
    title: 'Miso',
    method,
    classWord: 'cat',
    subject: 'sks cat',
    token: 'sks',
    resolution: 16,
    predictionType: 'epsilon' as const,
    appVersion: '0',
    date: '2026-01-01T00:00:00Z',
  };
  const id = await blobs.put(await saveConcept(concept, { base, about }));
  return {
    ...{ id, name: 'Miso', token: 'sks', classWord: 'cat', subject: 'sks cat', method, options: {} },
    ...{ steps: 1, pictures: [], seed: 0, model: 'tiny', baseHash: base.sha256 ?? null },
  };
}

test.each([
  ['dreambooth', /./],
  ['custom-diffusion', /attn2\.to_[kv]\.weight$/],
])('what %s learned goes out as a zip and comes back, number for number', async (method, names) => {
  const concept = replaced(base, names);
  const learned = await stored(concept, method);
  const file = await files.exportConcept(learned, 'miso');
  expect(file.name).toBe('miso.zip');
  const { learned: back, match } = await files.importConcept(file, 'tiny');
  expect(match.matched).toBe(concept.unet.length);
  expect(back).toMatchObject({ name: 'Miso', token: 'sks', classWord: 'cat', method });
  const read = async (id: string) => {
    const { unet } = (await readConcept(bytesSource('x', await blobs.get(id)), base)).concept;
    return new Map(unet.map((change) => [change.name, change]));
  };
  expect(await read(back.id)).toEqual(await read(learned.id));
});

test('a file that other programs read already goes out as it is', async () => {
  const vectors = ndArray(createTorchRng(1).randn(16), [1, 16]);
  const learned = await stored(
    { tokens: [{ token: '<miso>', vectors }], unet: [], textEncoder: [] },
    'textual-inversion',
  );
  const file = await files.exportConcept(learned, 'miso');
  expect(file.name).toBe('miso.safetensors');
  expect(new Uint8Array(await file.arrayBuffer())).toEqual(await blobs.get(learned.id));
});
