import { AppError } from '../util/errors';
import type { Shape, WeightShapes } from './concept-base';
import { LDM_PREFIX } from './keys-ldm';

/** Contents of a config.json, as diffusers and transformers write it. */
export type ConfigJson = Readonly<Record<string, unknown>>;

/** Lengths along the axes of a tensor that must be there. */
type ShapeOf = (name: string) => Shape;

const shapesUnder = (
  tensors: WeightShapes,
  prefix: string,
): { has: (name: string) => boolean; of: ShapeOf } => ({
  has: (name) => tensors.has(prefix + name),
  of: (name) => {
    const shape = tensors.get(prefix + name);
    if (!shape)
      throw new AppError('MISSING_WEIGHT', `the checkpoint has no tensor ${prefix}${name}`, { name });
    return shape;
  },
});

/** Numbers 0 … n − 1 for which `holds`; n is the first for which it does not. */
function count(holds: (index: number) => boolean): number {
  let n = 0;
  while (holds(n)) n++;
  return n;
}

const same = <T>(list: readonly T[]): T | readonly T[] =>
  list.every((x) => x === list[0]) ? list[0]! : list;

/**
 * The config of a UNet from the shapes of an LDM-named checkpoint. What shapes do not tell is as in every published
 * model of the family: 32 groups, 8 heads in Stable Diffusion 1, heads of width 64 later.
 *
 * @see FORMATS.md 3.4
 */
export function unetConfigOf(tensors: WeightShapes): ConfigJson {
  const { has, of } = shapesUnder(tensors, LDM_PREFIX.unet);
  const depth = (block: string): number =>
    count((d) => has(`${block}.1.transformer_blocks.${d}.attn2.to_k.weight`));
  const stages: { channels: number; depths: number[] }[] = [{ channels: 0, depths: [] }];
  for (let k = 1; ; k++) {
    const block = `input_blocks.${k}`;
    if (has(`${block}.0.op.weight`)) stages.push({ channels: 0, depths: [] });
    else if (has(`${block}.0.in_layers.2.weight`)) {
      const stage = stages.at(-1)!;
      stage.channels = of(`${block}.0.in_layers.2.weight`)[0]!;
      stage.depths.push(depth(block));
    } else break;
  }
  const layers = stages.map(({ depths }) => depths.length);
  const upDepths = layers.toReversed().map((_, i, all) => {
    const first = all.slice(0, i).reduce((sum, n) => sum + n + 1, 0);
    return depth(`output_blocks.${first}`);
  });
  const attention = [...tensors.keys()].find((name) => name.endsWith('.attn2.to_k.weight'));
  if (attention === undefined || layers.includes(0)) {
    throw new AppError('UNSUPPORTED_MODEL', 'this checkpoint has a UNet of a layout that is not known');
  }
  const width = tensors.get(attention)![1]!;
  const projection = attention
    .replace(/transformer_blocks\..*/, 'proj_in.weight')
    .slice(LDM_PREFIX.unet.length);
  const hasMid = has('middle_block.0.in_layers.2.weight');
  const channels = stages.map((stage) => stage.channels);
  return {
    _class_name: 'UNet2DConditionModel',
    in_channels: of('input_blocks.0.0.weight')[1],
    out_channels: of('out.2.weight')[0],
    block_out_channels: channels,
    layers_per_block: same(layers),
    down_block_types: stages.map(({ depths }) => (depths[0]! > 0 ? 'CrossAttnDownBlock2D' : 'DownBlock2D')),
    mid_block_type: !hasMid ? null : depth('middle_block') > 0 ? 'UNetMidBlock2DCrossAttn' : 'UNetMidBlock2D',
    up_block_types: upDepths.map((d) => (d > 0 ? 'CrossAttnUpBlock2D' : 'UpBlock2D')),
    transformer_layers_per_block: same(stages.map(({ depths }) => Math.max(1, depths[0]!))),
    attention_head_dim: width === 768 ? 8 : channels.map((c) => c / 64),
    cross_attention_dim: width,
    use_linear_projection: of(projection).length === 2,
    ...(has('time_embedding.cond_proj.weight') && {
      time_cond_proj_dim: of('time_embedding.cond_proj.weight')[1],
    }),
    ...(has('label_emb.0.0.weight') && {
      addition_embed_type: 'text_time',
      addition_time_embed_dim: 256,
      projection_class_embeddings_input_dim: of('label_emb.0.0.weight')[1],
    }),
  };
}

/** The config of an AutoencoderKL from the shapes of an LDM-named checkpoint. @param scalingFactor  shapes do not tell */
export function vaeConfigOf(tensors: WeightShapes, scalingFactor: number): ConfigJson {
  const { has, of } = shapesUnder(tensors, LDM_PREFIX.vae);
  const stages = count((i) => has(`encoder.down.${i}.block.0.conv1.weight`));
  const channels = Array.from({ length: stages }, (_, i) => of(`encoder.down.${i}.block.0.conv1.weight`)[0]!);
  return {
    _class_name: 'AutoencoderKL',
    in_channels: of('encoder.conv_in.weight')[1],
    out_channels: of('decoder.conv_out.weight')[0],
    latent_channels: of('decoder.conv_in.weight')[1],
    block_out_channels: channels,
    layers_per_block: count((j) => has(`encoder.down.0.block.${j}.conv1.weight`)),
    down_block_types: channels.map(() => 'DownEncoderBlock2D'),
    up_block_types: channels.map(() => 'UpDecoderBlock2D'),
    use_quant_conv: has('quant_conv.weight'),
    use_post_quant_conv: has('post_quant_conv.weight'),
    scaling_factor: scalingFactor,
  };
}

/** The config of the text encoder: CLIP ViT-L of SD1, or OpenCLIP ViT-H of SD2 without its last layer. */
export function textConfigOf(tensors: WeightShapes): ConfigJson {
  const open = shapesUnder(tensors, LDM_PREFIX.openClip);
  const isOpen = open.has('token_embedding.weight');
  const layersOf = (name: (i: number) => string, has: (name: string) => boolean) =>
    count((i) => has(name(i)));
  const common = { _class_name: 'CLIPTextModel', architectures: ['CLIPTextModel'] };
  if (isOpen) {
    const [vocabulary, width] = open.of('token_embedding.weight') as readonly [number, number];
    return {
      ...common,
      hidden_size: width,
      intermediate_size: open.of('transformer.resblocks.0.mlp.c_fc.weight')[0],
      // SD2 reads the output of the last layer but one
      num_hidden_layers: layersOf((i) => `transformer.resblocks.${i}.ln_1.weight`, open.has) - 1,
      num_attention_heads: width / 64,
      hidden_act: 'gelu',
      vocab_size: vocabulary,
      max_position_embeddings: open.of('positional_embedding')[0],
    };
  }
  const { has, of } = shapesUnder(tensors, clipPrefix(tensors));
  const [vocabulary, width] = of('embeddings.token_embedding.weight') as readonly [number, number];
  return {
    ...common,
    hidden_size: width,
    intermediate_size: of('encoder.layers.0.mlp.fc1.weight')[0],
    num_hidden_layers: layersOf((i) => `encoder.layers.${i}.layer_norm1.weight`, has),
    num_attention_heads: width / 64,
    hidden_act: 'quick_gelu',
    vocab_size: vocabulary,
    max_position_embeddings: of('embeddings.position_embedding.weight')[0],
  };
}

/** Some merges drop 'text_model.' from SD1's text encoder. */
export const clipPrefix = (tensors: WeightShapes): string => {
  const long = `${LDM_PREFIX.clip}text_model.`;
  return tensors.has(`${long}embeddings.token_embedding.weight`) ? long : LDM_PREFIX.clip;
};
