import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bytesSource } from '../util/byte-source';
import { type NdArray, ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { type Concept, readConcept } from './concept';
import type { ConceptBase } from './concept-base';
import {
  type ConceptContext,
  toAdditions,
  toLowRank,
  writeConcept,
  writeCustomDiffusion,
  writeLora,
  writeTextualInversion,
} from './concept-export';
import { aboutOf } from './concept-metadata';
import { conceptInZip, zipConcept } from './concept-zip';
import { openSafetensors } from './safetensors';
import { applyChange } from './weight-change';

const folder = new URL('./golden/concepts/', import.meta.url);
const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const shapes = JSON.parse(readFileSync(new URL('base.json', folder), 'utf8'));
const base: ConceptBase = {
  id: 'tiny',
  sha256: 'ab'.repeat(32),
  unet: new Map(Object.entries(shapes.unet)),
  textEncoder: new Map(Object.entries(shapes.textEncoder)),
};
const context: ConceptContext = {
  base,
  about: {
    title: 'Miso',
    method: 'dreambooth-lora',
    classWord: 'cat',
    resolution: 64,
    predictionType: 'epsilon',
    appVersion: '0.1.0',
    date: '2026-11-23T18:00:00Z',
    training: { steps: 400, learningRate: 1e-4, seed: 7, images: 4, optimizer: 'AdamW' },
    settings: { rank: 4 },
  },
};
const load = (bytes: Uint8Array, name = 'x.safetensors') => readConcept(bytesSource(name, bytes), base);
const golden = async (name: string) => (await load(bytesOf(name), name)).concept;
const open = (bytes: Uint8Array) => openSafetensors(bytesSource('x', bytes));

const random = (shape: readonly number[], seed: number): NdArray => ({
  data: createTorchRng(seed).randn(shape.reduce((a, b) => a * b, 1)),
  shape,
});
/** Files hold weights in an order of their own. */
const byName = ({ unet, ...rest }: Concept) => ({ ...rest, unet: new Map(unet.map((it) => [it.name, it])) });
const word = (n: number, token = '<miso>') => ({ token, vectors: random([n, 12], 9) });
const words = (tokens: Concept['tokens']): Concept => ({ tokens, unet: [], textEncoder: [] });
const readBase = async (network: 'unet' | 'textEncoder', name: string) =>
  random(base[network].get(name)!, name.length);
/** by weight; the order of changes means nothing */
const sorted = ({ tokens, unet, textEncoder }: Concept) => {
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  return { tokens, unet: unet.toSorted(byName), textEncoder: textEncoder.toSorted(byName) };
};

describe('round trips are exact', () => {
  test.each(['lora_kohya.safetensors', 'lora_peft.safetensors', 'lora_scripts.safetensors'])(
    '%s as a kohya LoRA in fp32, with its words',
    async (name) => {
      const concept = { ...(await golden(name)), tokens: [word(2)] };
      const { concept: back, warnings } = await load(await writeLora(concept, context, { dtype: 'F32' }));
      expect(sorted(back)).toEqual(sorted(concept));
      expect(warnings).toEqual([]);
    },
  );

  test('fp16 is rounded once: writing what was read gives the same bytes', async () => {
    const first = await writeLora(await golden('lora_kohya.safetensors'), context);
    expect(await writeLora((await load(first)).concept, context)).toEqual(first);
  });

  test('a LoRA in peft naming keeps ranks and alphas', async () => {
    const [kohya, peft] = [await golden('lora_kohya.safetensors'), await golden('lora_peft.safetensors')];
    for (const concept of [kohya, peft]) {
      const written = await writeLora(concept, context, { dtype: 'F32', dialect: 'peft' });
      const back = sorted((await load(written)).concept);
      sorted(concept).unet.forEach((change, i) => {
        const other = back.unet[i]!;
        if (change.kind !== 'low-rank' || other.kind !== 'low-rank') expect.unreachable();
        expect(other).toEqual({ ...change, scale: expect.closeTo(change.scale, 12) });
      });
    }
  });

  test.each(['custom_diffusion.bin', 'adobe.bin'])('%s as Custom Diffusion of diffusers', async (name) => {
    const concept = await golden(name);
    const written = await writeCustomDiffusion(concept, context);
    const { concept: back, match } = await load(written);
    expect(sorted(back)).toEqual(sorted(concept));
    expect(match).toEqual({ matched: 8, total: 8, unmatched: [] });
    const empty = [...(await open(written)).tensors].filter(([, { shape }]) => shape[0] === 0);
    expect(empty.map(([key]) => key)).toEqual(
      [...base.unet.keys()]
        .filter((key) => key.endsWith('attn1.to_q.weight'))
        .map((key) => key.replace('to_q.weight', 'processor'))
        .sort(),
    );
  });

  test.each([
    [1, '<miso>', [12]],
    [3, 'emb_params', [3, 12]],
  ])('an embedding of %i vectors', async (n, key, shape) => {
    const token = word(n);
    const bytes = await writeTextualInversion(token, context);
    expect([...(await open(bytes)).tensors]).toMatchObject([[key, { dtype: 'F32', shape }]]);
    // even under another file name: the header knows the word
    expect((await load(bytes, 'renamed.safetensors')).concept).toEqual(words([token]));
    const named = await writeTextualInversion(token, context, 'diffusers');
    expect((await load(named)).concept).toEqual(words([token]));
  });

  test('exact additions', async () => {
    const concept = await golden('custom_diffusion.bin');
    const added = await toAdditions(concept, readBase);
    const { concept: back } = await load(await writeLora(added, context, { dtype: 'F32' }));
    expect(sorted(back)).toEqual(sorted(added));
    for (const [i, change] of added.unet.entries()) {
      const whole = applyChange(await readBase('unet', change.name), change).data;
      const { data } = applyChange(random(base.unet.get(change.name)!, 0), concept.unet[i]!);
      whole.forEach((value, k) => void expect(Math.abs(value - data[k]!)).toBeLessThan(1e-6));
    }
  });
});

describe('what is written', () => {
  test('kohya keys: factors in the rank of the weight, an alpha of no dimension for every module', async () => {
    const { tensors } = await open(await writeLora(await golden('lora_kohya.safetensors'), context));
    const conv = 'lora_unet_down_blocks_0_resnets_0_conv1';
    const linear = 'lora_te_text_model_encoder_layers_0_mlp_fc1';
    expect(tensors.get(`${conv}.lora_down.weight`)).toMatchObject({ dtype: 'F16', shape: [1, 8, 3, 3] });
    expect(tensors.get(`${conv}.lora_up.weight`)).toMatchObject({ shape: [8, 1, 1, 1] });
    expect(tensors.get(`${linear}.lora_up.weight`)).toMatchObject({ shape: [20, 1] });
    expect(tensors.get(`${linear}.alpha`)).toMatchObject({ dtype: 'F32', shape: [] });
    expect(tensors.size).toBe(3 * 13);
  });

  test('the header says what other tools look for, and its own hash', async () => {
    const bytes = await writeLora(
      { ...(await golden('lora_kohya.safetensors')), tokens: [word(1)] },
      context,
    );
    const { metadata } = await open(bytes);
    const dataBegin = 8 + new DataView(bytes.buffer).getUint32(0, true);
    const hash = createHash('sha256').update(bytes.subarray(dataBegin)).digest('hex');
    expect(metadata).toMatchObject({
      format: 'pt',
      ss_v2: 'False',
      ss_base_model_version: 'tiny',
      ss_network_module: 'networks.lora',
      ss_network_dim: '3',
      ss_network_alpha: '1.5',
      ss_network_args: '{}',
      ss_steps: '400',
      ss_tag_frequency: '{"concept":{"<miso>":1}}',
      'modelspec.sai_model_spec': '1.0.1',
      'modelspec.architecture': 'tiny/lora',
      'modelspec.implementation': 'diffusers',
      'modelspec.title': 'Miso',
      'modelspec.resolution': '64x64',
      'modelspec.trigger_phrase': '<miso> cat',
      'modelspec.hash_sha256': `0x${hash}`,
      sshs_model_hash: hash,
      'dreamsteerer.method': 'dreambooth-lora',
      'dreamsteerer.class_word': 'cat',
      'dreamsteerer.base_sha256': base.sha256,
      'dreamsteerer.settings': '{"rank":4}',
    });
    expect(Object.keys(metadata).filter((key) => /thumbnail|caption|author|undefined/.test(key))).toEqual([]);
  });

  test('a base of another hash warns', async () => {
    const bytes = await writeTextualInversion(word(1), {
      ...context,
      base: { ...base, sha256: 'cd'.repeat(32) },
    });
    expect((await load(bytes)).warnings).toEqual([expect.stringContaining('another version of tiny')]);
  });

  test.each([
    [
      'Custom Diffusion of a feed-forward',
      'mid_block.attentions.0.transformer_blocks.0.ff.net.2.weight',
      /no place/,
    ],
    [
      'Custom Diffusion of K alone',
      'mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight',
      /K with V/,
    ],
  ])('%s is refused', async (_, name, reason) => {
    const unet = [{ kind: 'replace', name, value: random(base.unet.get(name)!, 1) } as const];
    await expect(writeCustomDiffusion({ ...words([]), unet }, context)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringMatching(reason),
    });
  });

  test('values beyond fp16 are refused rather than made infinite', async () => {
    const name = 'mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight';
    const down = ndArray(Array(12).fill(1e5), [1, 12]);
    const unet = [{ kind: 'low-rank', name, down, up: random([16, 1], 1), scale: 1 } as const];
    await expect(writeLora({ ...words([]), unet }, context)).rejects.toMatchObject({ code: 'NUMERIC' });
    await expect(writeLora({ ...words([]), unet }, context, { dtype: 'F32' })).resolves.toBeTruthy();
  });
});

describe('exports', () => {
  const names = async (concept: Concept, options = {}) =>
    (await writeConcept(concept, context, 'miso', options)).files.map(({ name }) => name);

  test('the files of each kind of concept', async () => {
    const lora = await golden('lora_kohya.safetensors');
    const custom = await golden('adobe.bin');
    expect(await names(words([word(1)]))).toEqual(['miso.safetensors']);
    expect(await names(words([word(2)]))).toEqual([
      'miso.safetensors',
      'diffusers/learned_embeds.safetensors',
    ]);
    expect(await names({ ...lora, tokens: [word(1)] }, { extras: true })).toEqual([
      'miso.safetensors',
      'diffusers/pytorch_lora_weights.safetensors',
      'embeddings/miso.safetensors',
    ]);
    expect(await names(custom, { readBase, extras: true })).toEqual([
      'miso.safetensors',
      'diffusers/pytorch_custom_diffusion_weights.safetensors',
      'miso.diff.safetensors',
      'embeddings/new1.safetensors',
      'embeddings/new2.safetensors',
    ]);
    await expect(names(custom)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(names(words([]))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('networks that are replaced from end to end go out as folders of diffusers, exact, and through the zip back', async () => {
    const unet = [...base.unet].map(([name, shape], i) => ({
      kind: 'replace' as const,
      name,
      value: random(shape, i),
    }));
    const concept: Concept = { tokens: [word(1)], unet, textEncoder: [] };
    const config = new TextEncoder().encode('{"sample_size":16}');
    const exported = await writeConcept(concept, context, 'miso', { readConfig: async () => config });
    expect(exported.files.map(({ name }) => name)).toEqual([
      'unet/diffusion_pytorch_model.safetensors',
      'unet/config.json',
      'embeddings/miso.safetensors',
    ]);
    // as diffusers reads it: every weight of the network under its own name
    const file = await open(exported.files[0]!.bytes);
    expect(new Set(file.tensors.keys())).toEqual(new Set(base.unet.keys()));

    const zip = zipConcept(exported, 'Miso', '<miso> cat');
    expect(zip).toEqual(zipConcept(exported, 'Miso', '<miso> cat'));
    const inside = conceptInZip(zip, 1e9)!;
    const read = await load(inside.bytes, inside.name);
    expect(byName(read.concept)).toEqual(byName(concept));
    expect(aboutOf(read.metadata)).toEqual({ ...context.about, token: '<miso>' });
    expect(() => conceptInZip(zip, 100)).toThrow(/MB/);
    expect(() => conceptInZip(zip.slice(0, -100), 1e9)).toThrow(/damaged/);
    await expect(names(concept)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('of a zip the exact file is read, where there is one', async () => {
    const custom = await golden('custom_diffusion.bin');
    const zip = zipConcept(await writeConcept(custom, context, 'miso', { readBase }), 'Miso', 'cat');
    const inside = conceptInZip(zip, 1e9)!;
    expect(inside.name).toBe('pytorch_custom_diffusion_weights.safetensors');
    expect(byName((await load(inside.bytes, inside.name)).concept)).toEqual(byName(custom));
    // PyTorch's zips are files of their own
    expect(conceptInZip(bytesOf('custom_diffusion.bin'), 1e9)).toBeNull();
  });

  test('the LoRA of full weights keeps the energy that is reported, and all of it at full rank', async () => {
    const custom = await golden('custom_diffusion.bin');
    for (const rank of [2, 12]) {
      const { concept, keptEnergy, perWeight } = await toLowRank(custom, rank, readBase);
      let [lost, total] = [0, 0];
      for (const [i, change] of custom.unet.entries()) {
        const weight = await readBase('unet', change.name);
        const [exact, approximate] = [applyChange(weight, change), applyChange(weight, concept.unet[i]!)];
        exact.data.forEach((value, k) => {
          lost += (value - approximate.data[k]!) ** 2;
          total += (value - weight.data[k]!) ** 2;
        });
      }
      expect(1 - lost / total).toBeCloseTo(keptEnergy, 5);
      expect(perWeight.size).toBe(8);
      if (rank === 12) expect(keptEnergy).toBeCloseTo(1, 6);
      else expect(keptEnergy).toBeLessThan(0.9);
    }
  });
});
