import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Shape } from '../onnx/graph';
import { COMPONENTS } from './components';
import type { WeightTable } from './weights';

/** Name → shape lists of published checkpoints, from the reference library. */
const fixtures = join(import.meta.dirname, '../../../shared/fixtures');

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
  sd15: sd1,
  'lcm-dreamshaper-v7': { ...sd1, time_cond_proj_dim: 256 },
  'sd21-base': sd2,
  'bk-sdm-base': { ...sd1, layers_per_block: 1 },
  'bk-sdm-small': { ...sd1, layers_per_block: 1, mid_block_type: null },
  'bk-sdm-tiny': { ...sd1, ...threeStages },
  'bk-sdm-v2-base': { ...sd2, layers_per_block: 1 },
  'bk-sdm-v2-small': { ...sd2, layers_per_block: 1, mid_block_type: null },
  'bk-sdm-v2-tiny': { ...sd2, ...threeStages, attention_head_dim: [5, 10, 20] },
  sdxl: {
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
const clipH = { hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 23, num_attention_heads: 16 };

const { UNet2DConditionModel, AutoencoderKL, AutoencoderTiny, CLIPTextModel } = COMPONENTS;
const tables: Record<string, () => WeightTable> = {
  ...Object.fromEntries(
    Object.entries(unets).map(([name, config]) => [
      `unet_${name}`,
      () => UNet2DConditionModel.weights(UNet2DConditionModel.parse(config)),
    ]),
  ),
  vae_kl_sd: () => AutoencoderKL.weights(AutoencoderKL.parse(vae)),
  taesd: () => AutoencoderTiny.weights(AutoencoderTiny.parse({})),
  clip_vit_l14_text_sd1: () => CLIPTextModel.weights(CLIPTextModel.parse(clipL)),
  openclip_h_text_sd2: () => CLIPTextModel.weights(CLIPTextModel.parse({ ...clipH, hidden_act: 'gelu' })),
};

describe.skipIf(!existsSync(fixtures))('weight tables (skipped without ../shared/fixtures)', () => {
  test.each(Object.keys(tables))('%s has exactly the names and shapes of the checkpoint', (name) => {
    const text = readFileSync(join(fixtures, `${name}.shapes.json`), 'utf8');
    const reference = JSON.parse(text) as Record<string, Shape>;
    expect(Object.fromEntries(tables[name]!())).toEqual(reference);
  });
});

test('the SD1.5 UNet has 686 tensors and 859,520,964 parameters', () => {
  const table = tables.unet_sd15!();
  const parameters = [...table.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  expect([table.size, parameters]).toEqual([686, 859_520_964]);
});
