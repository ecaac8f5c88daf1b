import { expect, test } from 'vitest';
import type { WeightShapes } from '../src/formats/concept-base';
import { LDM_PREFIX, ldmUNetNames, ldmVaeNames, openClipTensor } from '../src/formats/keys-ldm';
import { storedTensor, writeSafetensors } from '../src/formats/safetensors';
import { openSingleFile } from '../src/formats/single-file';
import { textConfigOf, unetConfigOf, vaeConfigOf } from '../src/formats/single-file-config';
import { COMPONENTS } from '../src/models/components';
import { checkWeights } from '../src/models/weights';
import { bytesSource } from '../src/util/byte-source';
import { createTorchRng } from '../src/util/random';

const { UNet2DConditionModel: UNet, AutoencoderKL: Vae, CLIPTextModel: Text } = COMPONENTS;

const sd1 = { cross_attention_dim: 768 };
const sd2 = { cross_attention_dim: 1024, attention_head_dim: [5, 10, 20, 20], use_linear_projection: true };
const threeStages = {
  down_block_types: Array(3).fill('CrossAttnDownBlock2D'),
  up_block_types: Array(3).fill('CrossAttnUpBlock2D'),
  block_out_channels: [320, 640, 1280],
  mid_block_type: null,
  layers_per_block: 1,
};
const unets: Record<string, object> = {
  'SD1.5': sd1,
  'SD1.5 inpainting': { ...sd1, in_channels: 9 },
  'LCM Dreamshaper': { ...sd1, time_cond_proj_dim: 256 },
  'SD2.1-base': sd2,
  'BK-SDM-base': { ...sd1, layers_per_block: 1 },
  'BK-SDM-small': { ...sd1, layers_per_block: 1, mid_block_type: null },
  'BK-SDM-tiny': { ...sd1, ...threeStages },
  'BK-SDM-v2-tiny': { ...sd2, ...threeStages, attention_head_dim: [5, 10, 20] },
  SDXL: {
    down_block_types: ['DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'],
    up_block_types: ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'],
    block_out_channels: [320, 640, 1280],
    cross_attention_dim: 2048,
    attention_head_dim: [5, 10, 20],
    use_linear_projection: true,
    transformer_layers_per_block: [1, 2, 10],
    addition_embed_type: 'text_time',
    addition_time_embed_dim: 256,
    projection_class_embeddings_input_dim: 2816,
  },
};
const vae = {
  down_block_types: Array(4).fill('DownEncoderBlock2D'),
  up_block_types: Array(4).fill('UpDecoderBlock2D'),
  block_out_channels: [128, 256, 512, 512],
  layers_per_block: 2,
};
const clipL = { hidden_size: 768, intermediate_size: 3072, num_hidden_layers: 12, num_attention_heads: 12 };
const clipH = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 2,
  num_attention_heads: 16,
  hidden_act: 'gelu',
};

/** Tensors of a component as a single file names and shapes them. */
const renamed = (weights: WeightShapes, prefix: string, names: ReadonlyMap<string, string>): WeightShapes =>
  new Map(
    [...weights].map(([name, shape]) => {
      const key = prefix + names.get(name);
      return [
        key,
        /attn_1\.[qkv]|attn_1\.proj_out/.test(key) && shape.length === 2 ? [...shape, 1, 1] : shape,
      ];
    }),
  );
const unetFile = (config: object) => {
  const weights = UNet.weights(UNet.parse(config));
  return renamed(weights, LDM_PREFIX.unet, ldmUNetNames(weights.keys()));
};
const vaeWeights = Vae.weights(Vae.parse(vae));
const vaeFile = renamed(vaeWeights, LDM_PREFIX.vae, ldmVaeNames(vaeWeights.keys()));
const plain = (weights: WeightShapes, prefix: string): WeightShapes =>
  new Map([...weights].map(([name, shape]) => [prefix + name, shape]));
const openClipFile = (layers: number): WeightShapes => {
  const weights = Text.weights(Text.parse({ ...clipH, num_hidden_layers: layers }));
  return new Map(
    [...weights].map(([name, shape]) => {
      const { name: key, third } = openClipTensor(name);
      return [LDM_PREFIX.openClip + key, third === undefined ? shape : [3 * shape[0]!, ...shape.slice(1)]];
    }),
  );
};

test.each(Object.keys(unets))('the config of %s is recovered from the shapes of a single file', (name) => {
  const wanted = UNet.parse({ sample_size: null, ...unets[name]! });
  const found = UNet.parse(unetConfigOf(unetFile(unets[name]!)));
  // the depth of a stage without attention is of no consequence; parse drops it
  expect(found).toEqual(wanted);
});

test('the configs of VAE and text encoders are recovered', () => {
  expect(Vae.parse(vaeConfigOf(vaeFile, 0.18215))).toEqual(Vae.parse(vae));
  const clip = Text.weights(Text.parse(clipL));
  for (const prefix of [LDM_PREFIX.clip, `${LDM_PREFIX.clip}text_model.`]) {
    const bare = new Map([...clip].map(([name, shape]) => [name.replace('text_model.', ''), shape]));
    expect(Text.parse(textConfigOf(plain(bare, prefix)))).toEqual(Text.parse(clipL));
  }
  // the file has one layer more than is used
  expect(Text.parse(textConfigOf(openClipFile(3)))).toEqual(Text.parse(clipH));
});

test('components of a single file read under their diffusers names, q, k and v from their thirds', async () => {
  // narrow, but with the prompt width that makes it Stable Diffusion 2
  const unetConfig = { ...sd2, block_out_channels: [64, 64], norm_num_groups: 32, layers_per_block: 1 };
  const config = {
    ...unetConfig,
    attention_head_dim: [1, 1],
    down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'],
    up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
  };
  const small = {
    ...vae,
    block_out_channels: [32, 32],
    down_block_types: Array(2).fill('DownEncoderBlock2D'),
    up_block_types: Array(2).fill('UpDecoderBlock2D'),
    layers_per_block: 1,
  };
  const text = {
    ...clipH,
    hidden_size: 64,
    intermediate_size: 96,
    num_attention_heads: 1,
    vocab_size: 20,
    num_hidden_layers: 1,
  };
  const smallVae = Vae.weights(Vae.parse(small));
  const textWeights = Text.weights(Text.parse({ ...text, num_hidden_layers: 2 }));
  const textFile = new Map(
    [...textWeights].map(([name, shape]) => {
      const { name: key, third } = openClipTensor(name);
      return [
        LDM_PREFIX.openClip + key,
        third === undefined ? shape : [3 * shape[0]!, ...shape.slice(1)],
      ] as const;
    }),
  );
  const shapes = [
    ...unetFile(config),
    ...renamed(smallVae, LDM_PREFIX.vae, ldmVaeNames(smallVae.keys())),
    ...textFile,
  ];
  const rng = createTorchRng(1);
  const values = Object.fromEntries(
    shapes.map(([key, shape]) => [key, { data: rng.randn(shape.reduce((a, b) => a * b, 1)), shape }]),
  );
  const stored = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, storedTensor(value)]));
  const bytes = writeSafetensors(stored, { 'modelspec.prediction_type': 'v' });
  const file = await openSingleFile(bytesSource('sd2.safetensors', bytes));
  expect(file).toMatchObject({ family: 'sd2', isInpainting: false, predictionType: 'v_prediction' });

  for (const [component, { parse, weights }] of [
    ['unet', UNet],
    ['vae', Vae],
    ['textEncoder', Text],
  ] as const) {
    const expected = weights(parse(file.configs[component]) as never);
    const view = file.component(component, expected);
    expect(checkWeights(expected, view.tensors).unexpected).toEqual([]);
  }
  const textView = file.component('textEncoder', textWeights);
  const k = await textView.readFloat32('text_model.encoder.layers.0.self_attn.k_proj.weight');
  const stacked = values[`${LDM_PREFIX.openClip}transformer.resblocks.0.attn.in_proj_weight`]!;
  expect(k).toEqual({ data: stacked.data.slice(64 * 64, 2 * 64 * 64), shape: [64, 64] });
  const q = await file.component('vae', smallVae).readFloat32('encoder.mid_block.attentions.0.to_q.weight');
  expect(q.shape).toEqual([32, 32]);
});

test.each([
  ['SDXL', unetFile(unets.SDXL!), /Stable Diffusion XL/],
  [
    'a file without a text encoder',
    unetFile({ ...sd1, ...threeStages, block_out_channels: [32, 32, 32] }),
    /no tensor/,
  ],
])('%s is refused with a reason', async (_, shapes, reason) => {
  const header: Record<string, unknown> = {};
  for (const [key, shape] of shapes) header[key] = { dtype: 'U8', shape, data_offsets: [0, 0] };
  let at = 0;
  for (const entry of Object.values(header) as { shape: number[]; data_offsets: number[] }[]) {
    const end = at + entry.shape.reduce((a, b) => a * b, 1);
    entry.data_offsets = [at, end];
    at = end;
  }
  // data is never read: only the length has to be right
  const json = new TextEncoder().encode(JSON.stringify(header));
  const head = new Uint8Array(8 + json.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(json.length), true);
  head.set(json, 8);
  const source = {
    name: 'model.safetensors',
    size: head.length + at,
    read: async (begin: number, end: number) => head.slice(begin, end),
  };
  await expect(openSingleFile(source)).rejects.toMatchObject({ message: expect.stringMatching(reason) });
});
