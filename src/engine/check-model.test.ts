import { expect, test } from 'vitest';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { pickedFolder, pickedTree } from '../storage/picked-folder';
import { TINY_CONFIGS, tinyPart } from '../training/tiny-model';
import type { AppError } from '../util/errors';
import { checkModel } from './check-model';
import { type Files, jsonFile, tinyFiles, treeOf } from './tiny-tree';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const files = tinyFiles();
const without = (...paths: readonly string[]): Files =>
  Object.fromEntries(Object.entries(files).filter(([path]) => !paths.includes(path)));
const check = (of: Files) => checkModel(treeOf(of, 'mine'), backend);
const refused = (of: Files): Promise<AppError> =>
  check(of).then(
    () => Promise.reject(new Error('it was accepted')),
    (error) => error,
  );
const pick = (of: Files, path: RegExp): Files =>
  Object.fromEntries(Object.entries(of).filter(([name]) => path.test(name)));
const bytes = (value: string) => new TextEncoder().encode(value) as Uint8Array<ArrayBuffer>;
const unet = { ...TINY_CONFIGS.UNet2DConditionModel, _class_name: 'UNet2DConditionModel' };

test('a whole model is told by its name, size and family, and so are the files that make it up', async () => {
  const extra = { 'README.md': bytes('hello'), 'safety_checker/model.safetensors': bytes('x') };
  const { model, paths } = await check({ ...files, ...extra });
  expect(model).toEqual({
    id: 'mine',
    label: 'Tiny',
    size: 16,
    family: null,
    license: 'mit',
    rareWord: 'sks',
  });
  expect([...paths].sort()).toEqual(Object.keys(files).sort());
});

test('of two sets of weights the smaller is taken', async () => {
  const name = 'vae/diffusion_pytorch_model';
  const both = { ...files, [`${name}.fp16.safetensors`]: files[`${name}.safetensors`]! };
  expect((await check(both)).paths).toContain(`${name}.fp16.safetensors`);
  expect((await check(both)).paths).not.toContain(`${name}.safetensors`);
});

test('every missing part is named, not only the first', async () => {
  const error = await refused(
    without('vae/config.json', 'unet/diffusion_pytorch_model.safetensors', 'tokenizer/merges.txt'),
  );
  expect(error).toMatchObject({
    code: 'UNSUPPORTED_MODEL',
    message: 'mine lacks tokenizer/merges.txt, unet/diffusion_pytorch_model.safetensors, vae/config.json',
  });
  expect((await refused({ 'holiday.jpg': bytes('x') })).message).toMatch(/not a model folder/);
});

test.each([
  ['dual_cross_attention', { ...unet, dual_cross_attention: true }],
  [
    'addition_embed_type',
    {
      ...unet,
      addition_embed_type: 'text_time',
      addition_time_embed_dim: 8,
      projection_class_embeddings_input_dim: 64,
    },
  ],
  ['sample_size', { ...unet, sample_size: [8, 16] }],
  ['layers_per_block', { ...unet, layers_per_block: 65_536 }],
  ['down_block_types', { ...unet, down_block_types: Array(4000).fill('CrossAttnDownBlock2D') }],
  ['transformer_layers_per_block', { ...unet, transformer_layers_per_block: 1e9 }],
  ['block_out_channels', { ...unet, block_out_channels: [1e9, 1e9] }],
])('a config that cannot be honoured is refused by its key: %s', async (key, config) => {
  const error = await refused({ ...files, 'unet/config.json': jsonFile(config) });
  expect(['UNSUPPORTED_MODEL', 'MISSING_WEIGHT']).toContain(error.code);
  if (error.code === 'UNSUPPORTED_MODEL') expect(error.details.key).toBe(key);
});

test.each([
  ['no JSON', 'unet/config.json', bytes('{"a":')],
  ['a list', 'vae/config.json', bytes('[]')],
  ['a web page for an index', 'model_index.json', bytes('<!doctype html>')],
  [
    'a pointer for weights',
    'unet/diffusion_pytorch_model.safetensors',
    bytes('version https://git-lfs.github.com/spec/v1\noid 1'),
  ],
  [
    'weights cut off',
    'text_encoder/model.safetensors',
    files['text_encoder/model.safetensors']!.slice(0, 4000),
  ],
  [
    'a header of 2^60 bytes',
    'vae/diffusion_pytorch_model.safetensors',
    Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 16, 0x7b, 0x7d, 0, 0]),
  ],
])('broken files are refused by name: %s', async (_, path, content) => {
  const error = await refused({ ...files, [path]: content });
  expect(error.code).toBe('BAD_FILE');
  expect(error.message).toContain(path);
});

test('a text file that claims to be gigabytes is refused unread', async () => {
  const tree = treeOf(files, 'mine');
  const read = (): never => {
    throw new Error('it was read');
  };
  const huge = {
    ...tree,
    open: async (path: string) =>
      path === 'unet/config.json' ? { name: path, size: 4e9, read } : tree.open(path),
  };
  await expect(checkModel(huge, backend)).rejects.toMatchObject({ code: 'BAD_FILE' });
});

test('weights of other shapes than the config asks for are refused before any is read', async () => {
  const error = await refused({
    ...files,
    'unet/config.json': jsonFile({ ...unet, block_out_channels: [16, 64] }),
  });
  expect(error).toMatchObject({ code: 'MISSING_WEIGHT', message: expect.stringMatching(/another shape/) });
});

test('an index of shards cannot name files outside the folder', async () => {
  const of = {
    ...without('unet/diffusion_pytorch_model.safetensors'),
    'unet/diffusion_pytorch_model.safetensors.index.json': jsonFile({
      weight_map: { 'conv_in.weight': '../../secret.safetensors' },
    }),
    'secret.safetensors': files['vae/diffusion_pytorch_model.safetensors']!,
  };
  const picked = pickedFolder(
    'mine',
    Object.entries(of).map(([path, content]) => ({ path, file: new Blob([content]) })),
  );
  await expect(checkModel(pickedTree(picked), backend)).rejects.toMatchObject({ code: 'BAD_FILE' });
});

test('parts that are not of one model are refused by key', async () => {
  const text = { ...TINY_CONFIGS.CLIPTextModel, hidden_size: 32 };
  const other = {
    ...files,
    ...pick(tinyFiles({}, { ...TINY_CONFIGS, CLIPTextModel: text }), /^text_encoder/),
  };
  expect(await refused(other)).toMatchObject({
    code: 'UNSUPPORTED_MODEL',
    details: { key: 'cross_attention_dim' },
  });
  const inpainting = { ...unet, in_channels: 9 };
  const nine = tinyFiles({}, { ...TINY_CONFIGS, UNet2DConditionModel: inpainting });
  expect(await refused(nine)).toMatchObject({ code: 'UNSUPPORTED_MODEL', details: { key: 'in_channels' } });
  const few = { ...TINY_CONFIGS.CLIPTextModel, vocab_size: 500 };
  const small = tinyFiles({}, { ...TINY_CONFIGS, CLIPTextModel: few });
  expect(await refused(small)).toMatchObject({ code: 'UNSUPPORTED_MODEL', details: { key: 'vocab_size' } });
});

test('a model whose weights do not fit into memory is refused before any is read', async () => {
  // 33 GB of which the header alone is made
  const width = 4096;
  const configs = {
    ...TINY_CONFIGS,
    UNet2DConditionModel: { ...unet, cross_attention_dim: width },
    CLIPTextModel: { ...TINY_CONFIGS.CLIPTextModel, vocab_size: 1_000_000, hidden_size: width },
  };
  let end = 0;
  const entries = [...tinyPart('CLIPTextModel', configs).shapes].map(([name, shape]) => {
    const begin = end;
    end += 4 * shape.reduce((n, d) => n * d, 1);
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }];
  });
  const header = bytes(JSON.stringify(Object.fromEntries(entries)));
  const head = new Uint8Array(8 + header.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(header.length), true);
  head.set(header, 8);
  const tree = treeOf(
    {
      ...files,
      ...pick(tinyFiles({}, { ...configs, CLIPTextModel: TINY_CONFIGS.CLIPTextModel }), /^unet/),
      'text_encoder/config.json': jsonFile(configs.CLIPTextModel),
    },
    'mine',
  );
  const huge = {
    ...tree,
    open: async (path: string) =>
      path === 'text_encoder/model.safetensors'
        ? { name: path, size: head.length + end, read: async (a: number, b: number) => head.subarray(a, b) }
        : tree.open(path),
  };
  await expect(checkModel(huge, backend)).rejects.toMatchObject({
    code: 'TOO_BIG',
    message: expect.stringMatching(/^mine needs 3\d\.\d GB of memory for its weights; 17\.2 GB/),
  });
});
