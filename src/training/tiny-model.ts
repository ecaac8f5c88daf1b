/** A complete latent diffusion model with random weights, small enough to train in a test. */
import type { ModelParts } from '../diffusion/model';
import { createSchedule } from '../diffusion/schedule';
import { createTokenizer } from '../diffusion/tokenizer';
import { COMPONENTS, type ComponentName, type ConfigOf } from '../models/components';
import type { Backend } from '../runtime/backend';
import { WeightStore } from '../runtime/weights';
import { type NdArray, ndArray, sizeOf } from '../util/nd-array';
import { createTorchRng } from '../util/random';

export const TINY_CONFIGS = {
  UNet2DConditionModel: {
    sample_size: 8,
    block_out_channels: [16, 32],
    layers_per_block: 1,
    down_block_types: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'],
    up_block_types: ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
    cross_attention_dim: 16,
    attention_head_dim: 2,
    norm_num_groups: 4,
  },
  AutoencoderKL: {
    block_out_channels: [8, 8],
    down_block_types: ['DownEncoderBlock2D', 'DownEncoderBlock2D'],
    up_block_types: ['UpDecoderBlock2D', 'UpDecoderBlock2D'],
    layers_per_block: 1,
    norm_num_groups: 4,
    latent_channels: 4,
  },
  CLIPTextModel: {
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    vocab_size: 517,
    max_position_embeddings: 12,
  },
} as const;

export const TINY_MERGES = '#version: 0.2\nc a\nca t</w>\nd o';

export type TinyConfigs = Readonly<Record<keyof typeof TINY_CONFIGS, Readonly<Record<string, unknown>>>>;

/**
 * One network of it: config, shapes and weights. Weights follow from their names alone, so that
 * tools/oracle/make_learning.py can make the same ones.
 */
export function tinyPart<Name extends keyof typeof TINY_CONFIGS & ComponentName>(
  name: Name,
  configs: TinyConfigs = TINY_CONFIGS,
) {
  // the compiler cannot see that a row of the table fits its own config
  const row = COMPONENTS[name] as unknown as {
    parse: (json: unknown) => ConfigOf<Name>;
    weights: (config: ConfigOf<Name>) => ReadonlyMap<string, readonly number[]>;
  };
  const config = row.parse(configs[name]);
  const shapes = row.weights(config);
  const weight = (key: string): NdArray => {
    const shape = shapes.get(key)!;
    const normal = createTorchRng(seedOf(key)).randn(sizeOf(shape));
    const matrix = shape.length > 1;
    const spread = matrix ? 1 / Math.sqrt(sizeOf(shape.slice(1))) : 0.1;
    const centre = !matrix && key.endsWith('.weight') ? 1 : 0;
    return ndArray(
      normal.map((v) => centre + spread * v),
      shape,
    );
  };
  return { config, shapes, weight };
}

export function tinyModel(backend: Backend): ModelParts {
  const part = <Name extends keyof typeof TINY_CONFIGS & ComponentName>(name: Name) => {
    const { config, shapes, weight } = tinyPart(name);
    const source = { shapes, load: async (key: string) => weight(key) };
    return { config, weights: new WeightStore(backend, source, { label: name }) };
  };
  return {
    unet: part('UNet2DConditionModel'),
    vae: part('AutoencoderKL'),
    textEncoder: part('CLIPTextModel'),
    tokenizer: createTokenizer({ merges: TINY_MERGES, modelMaxLength: 12 }),
    rareWord: 'sks',
    schedule: createSchedule(),
  };
}

const seedOf = (name: string): number =>
  [...name].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0, 0);
