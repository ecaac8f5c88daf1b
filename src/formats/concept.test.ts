import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bytesSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import { ndArray, zeros } from '../util/nd-array';
import { type Concept, readConcept } from './concept';
import type { ConceptBase, Network } from './concept-base';
import { openSafetensors, type StoredTensor, storedTensor, writeSafetensors } from './safetensors';
import { applyChange } from './weight-change';

const folder = new URL('./golden/concepts/', import.meta.url);
const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const shapes = JSON.parse(readFileSync(new URL('base.json', folder), 'utf8'));
const base: ConceptBase = {
  id: 'tiny',
  unet: new Map(Object.entries(shapes.unet)),
  textEncoder: new Map(Object.entries(shapes.textEncoder)),
};
const read = (name: string, options = {}) => readConcept(bytesSource(name, bytesOf(name)), base, options);
const readTensors = (tensors: Record<string, StoredTensor>, metadata = {}, name = 'made.safetensors') =>
  readConcept(bytesSource(name, writeSafetensors(tensors, metadata)), base);
const f32 = (shape: readonly number[], value = 0.5) =>
  storedTensor({ data: zeros(shape).data.fill(value), shape });

/** What a concept adds to a base of zeros: '<network>/<name>' → values. */
function deltas(concept: Concept): Map<string, Float32Array> {
  const networks: Network[] = ['unet', 'textEncoder'];
  return new Map(
    networks.flatMap((network) =>
      concept[network].map(
        (change) =>
          [
            `${network}/${change.name}`,
            applyChange(zeros(base[network].get(change.name)!), change).data,
          ] as const,
      ),
    ),
  );
}

const expected = await openSafetensors(bytesSource('expected', bytesOf('expected.safetensors')));
async function expectDeltas(concept: Concept, reference: string) {
  const found = deltas(concept);
  const names = [...expected.tensors.keys()].filter((name) => name.startsWith(`${reference}/`));
  expect([...found.keys()].sort()).toEqual(names.map((name) => name.slice(reference.length + 1)).sort());
  for (const name of names) {
    const { data } = await expected.readFloat32(name);
    const own = found.get(name.slice(reference.length + 1))!;
    data.forEach((value, i) => {
      if (!(Math.abs(own[i]! - value) <= 2e-6)) expect.fail(`${name}[${i}]: ${own[i]} instead of ${value}`);
    });
  }
}

describe('LoRA', () => {
  test.each([
    ['kohya, with alphas, convolutions and text encoder', 'lora_kohya.safetensors', 'lora_kohya', 13],
    ['kohya with LDM block numbers', 'lora_kohya_ldm.safetensors', 'lora_kohya', 13],
    ['diffusers with peft metadata', 'lora_peft.safetensors', 'lora_peft', 36],
    ['the scripts of diffusers 0.22', 'lora_scripts.safetensors', 'lora_scripts', 6],
    ['attention processors', 'lora_processors.safetensors', 'lora_scripts', 6],
    ['attention processors as .bin', 'lora_processors.bin', 'lora_scripts', 6],
  ])('%s changes weights as diffusers does', async (_, name, reference, modules) => {
    const { concept, match, kind } = await read(name);
    expect(kind).toBe('lora');
    expect(match).toEqual({ matched: modules, total: modules, unmatched: [] });
    await expectDeltas(concept, reference);
  });

  test('plain peft is scaled by the configuration beside it', async () => {
    const adapterConfig = JSON.parse(readFileSync(new URL('peft/adapter_config.json', folder), 'utf8'));
    const { concept } = await read('peft/adapter_model.safetensors', { adapterConfig });
    await expectDeltas(concept, 'peft');
  });

  const module = 'lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k';
  const pair = { [`${module}.lora_down.weight`]: f32([2, 12]), [`${module}.lora_up.weight`]: f32([16, 2]) };

  test('without alpha the scale is 1, with alpha it is alpha / r', async () => {
    const plain = (await readTensors(pair)).concept.unet[0];
    const scaled = (await readTensors({ ...pair, [`${module}.alpha`]: f32([], 8) })).concept.unet[0];
    expect([plain, scaled]).toMatchObject([{ scale: 1 }, { scale: 4 }]);
  });

  test('.diff and .diff_b add whole weights and biases', async () => {
    const out = module.replace('to_k', 'to_out_0');
    const { concept } = await readTensors({ [`${out}.diff`]: f32([16, 16]), [`${out}.diff_b`]: f32([16]) });
    expect(concept.unet.map(({ kind, name }) => `${kind} ${name.replace(/^.*attn2\./, '')}`)).toEqual([
      'add to_out.0.weight',
      'add to_out.0.bias',
    ]);
  });

  test.each([
    ['LoHa', `${module}.hada_w1_a`],
    ['LoKr', `${module}.lokr_w1`],
    ['DoRA', `${module}.dora_scale`],
    ['DoRA', 'unet.x.lora_magnitude_vector'],
    ['OFT', `${module}.oft_blocks`],
    ['Tucker', `${module}.lora_mid.weight`],
    ['IA3', `${module}.on_input`],
  ])('%s is declined by name', async (name, key) => {
    await expect(readTensors({ ...pair, [key]: f32([2]) })).rejects.toMatchObject({
      code: 'UNSUPPORTED_MODEL',
      message: expect.stringContaining(name),
    });
  });

  test('DoRA in the adapter metadata is declined', async () => {
    const metadata = { lora_adapter_metadata: JSON.stringify({ 'unet.use_dora': true }) };
    await expect(readTensors(pair, metadata)).rejects.toMatchObject({ code: 'UNSUPPORTED_MODEL' });
  });

  test.each([
    ['Stable Diffusion 1 (width 768)', { [`${module}.lora_down.weight`]: f32([2, 768]) }],
    ['Stable Diffusion 2 (width 1024)', { [`${module}.lora_down.weight`]: f32([2, 1024]) }],
    ['Stable Diffusion XL (width 2048)', { 'lora_te2_text_model_x.alpha': f32([]) }],
  ])('a file for %s is refused with that reason', async (reason, tensors) => {
    await expect(readTensors({ ...pair, ...tensors })).rejects.toMatchObject({
      code: 'UNSUPPORTED_MODEL',
      message: expect.stringContaining(reason),
    });
  });

  test('modules that the base lacks are counted and refused, or left out when asked for', async () => {
    const other = module.replace('mid_block', 'down_blocks_7');
    const tensors = {
      ...pair,
      [`${other}.lora_down.weight`]: f32([2, 12]),
      [`${other}.lora_up.weight`]: f32([8, 2]),
    };
    await expect(readTensors(tensors)).rejects.toMatchObject({
      code: 'UNSUPPORTED_MODEL',
      message: expect.stringContaining('1 of its 2 modules'),
    });
    const source = bytesSource('x.safetensors', writeSafetensors(tensors));
    const { concept, match } = await readConcept(source, base, { partial: true });
    expect(concept.unet).toHaveLength(1);
    expect(match).toEqual({ matched: 1, total: 2, unmatched: [other] });
  });

  test('words bundled by A1111 are read with it', async () => {
    const { concept } = await readTensors({ ...pair, 'bundle_emb.miso.string_to_param.*': f32([2, 12]) });
    expect(concept.tokens).toMatchObject([{ token: 'miso', vectors: { shape: [2, 12] } }]);
    expect(concept.unet).toHaveLength(1);
  });

  test.each([
    ['half a pair', { [`${module}.lora_down.weight`]: f32([2, 12]) }, /only one of the two factors/],
    [
      'one module under two names',
      { ...pair, 'unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.alpha': f32([]) },
      /twice/,
    ],
    ['a tensor of no known kind', { ...pair, extra: f32([2]) }, /nothing is known of its tensor extra/],
    [
      'values that are not finite',
      { ...pair, [`${module}.lora_up.weight`]: f32([16, 2], Number.NaN) },
      /not finite/,
    ],
    ['an alpha that is no number', { ...pair, [`${module}.alpha`]: f32([2]) }, /not one number/],
  ])('%s is refused', async (_, tensors, reason) => {
    await expect(readTensors(tensors)).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(reason),
    });
  });
});

describe('Textual Inversion', () => {
  const row = (k: number) => Array.from({ length: 12 }, (_, i) => (12 * k + i) / 8);
  test.each([
    ['diffusers, one vector 1-D', 'ti_one.safetensors', '<miso>', [0]],
    ['diffusers, several vectors', 'ti_many.safetensors', '<miso>', [0, 1, 2]],
    ['diffusers .bin', 'ti_diffusers.bin', '<miso>', [1]],
    ['A1111 .pt, word after the file', 'ti_a1111.pt', '<ti_a1111>', [0, 1, 2]],
    ['kohya emb_params in fp16', 'ti_kohya.safetensors', '<ti_kohya>', [0, 1, 2]],
    ['a bare tensor', 'ti_bare.pt', '<ti_bare>', [0, 1, 2]],
    ['a strided view with an offset', 'ti_strided.pt', '<miso>', [0, 1, 2]],
  ])('%s', async (_, name, token, rows) => {
    const { concept, kind, match } = await read(name);
    expect(kind).toBe('textual-inversion');
    expect(concept).toEqual({
      tokens: [{ token, vectors: ndArray(rows.flatMap(row), [rows.length, 12]) }],
      unet: [],
      textEncoder: [],
    });
    expect(match).toEqual({ matched: rows.length, total: rows.length, unmatched: [] });
  });

  test.each([
    ['SDXL, two encoders', { clip_l: f32([1, 12]), clip_g: f32([1, 16]) }, /Stable Diffusion XL/],
    [
      'Stable Diffusion 2',
      { emb_params: f32([2, 1024]) },
      /Stable Diffusion 2 \(width 1024\).*tiny, has width 12/,
    ],
    ['an unknown width', { '<x>': f32([5]) }, /models of width 5/],
  ])('%s is refused with the reason', async (_, tensors, reason) => {
    await expect(readTensors(tensors as Record<string, StoredTensor>)).rejects.toMatchObject({
      code: 'UNSUPPORTED_MODEL',
      message: expect.stringMatching(reason),
    });
  });

  test('more vectors than a prompt has room for are refused', async () => {
    await expect(readTensors({ emb_params: f32([76, 12]) })).rejects.toMatchObject({ code: 'BAD_FILE' });
  });
});

describe('Custom Diffusion', () => {
  test.each(['custom_diffusion.bin', 'custom_diffusion.safetensors'])('%s of diffusers', async (name) => {
    const { concept, match, kind } = await read(name);
    expect(kind).toBe('weights');
    expect(match).toEqual({ matched: 8, total: 8, unmatched: [] });
    expect(new Set(concept.unet.map((change) => change.kind))).toEqual(new Set(['replace']));
    await expectDeltas(concept, 'custom_diffusion');
  });

  test.each([
    ['adobe.bin', 'custom_diffusion', 'replace'],
    ['adobe_compressed.bin', 'adobe_compressed', 'low-rank'],
  ])("Adobe's %s with its words", async (name, reference, kind) => {
    const { concept } = await read(name);
    expect(concept.tokens.map(({ token, vectors }) => [token, vectors.data[1]])).toEqual([
      ['<new1>', 1 / 8],
      ['<new2>', 13 / 8],
    ]);
    expect(new Set(concept.unet.map((change) => change.kind))).toEqual(new Set([kind]));
    await expectDeltas(concept, reference);
  });

  const site = 'mid_block.attentions.0.transformer_blocks.0.attn2';
  test('a file for another width is refused with the reason', async () => {
    await expect(
      readTensors({ [`${site}.processor.to_k_custom_diffusion.weight`]: f32([16, 768]) }),
    ).rejects.toMatchObject({
      code: 'UNSUPPORTED_MODEL',
      message: expect.stringMatching(/Stable Diffusion 1 /),
    });
  });

  test('an attention that the base lacks is refused', async () => {
    const key = `${site.replace('mid_block', 'down_blocks.5')}.processor.to_k_custom_diffusion.weight`;
    await expect(readTensors({ [key]: f32([16, 12]) })).rejects.toMatchObject({
      code: 'UNSUPPORTED_MODEL',
      message: expect.stringMatching(/0 of its 1 modules/),
    });
  });
});

describe('files that are no concept', () => {
  test.each([
    ['a whole model', { 'model.diffusion_model.out.2.weight': f32([4]) }, /whole model/],
    ['something else', { 'layer.weight': f32([4, 4, 4]) }, /not a concept/],
    ['an empty file', {}, /not a concept/],
  ])('%s', async (_, tensors, reason) => {
    await expect(readTensors(tensors as Record<string, StoredTensor>)).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(reason),
    });
  });

  test('a header that records another base warns and loads', async () => {
    const { warnings } = await readTensors({ '<x>': f32([12]) }, { 'dreamsteerer.base': 'starter' });
    expect(warnings).toEqual([expect.stringContaining('learned on starter, not on tiny')]);
  });
});

test('truncations and mutations of every golden file are refused as AppError or read', async () => {
  let state = 1;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const names = [
    'lora_kohya.safetensors',
    'lora_processors.bin',
    'ti_a1111.pt',
    'adobe_compressed.bin',
    'ti_one.safetensors',
  ];
  const begin = performance.now();
  let refused = 0;
  for (let i = 0; i < 400; i++) {
    const name = names[i % names.length]!;
    const whole = bytesOf(name);
    const bytes = random(4) === 0 ? whole.slice(0, random(whole.length)) : whole;
    for (let k = random(6); k > 0 && bytes.length > 0; k--) bytes[random(bytes.length)] = random(256);
    try {
      await readConcept(bytesSource(name, bytes), base, { partial: random(2) === 0 });
    } catch (error) {
      expect(error, `${name}, case ${i}`).toBeInstanceOf(AppError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(120);
  expect(performance.now() - begin).toBeLessThan(10_000);
});
