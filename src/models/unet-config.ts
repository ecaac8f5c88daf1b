import { ConfigReader, isInt } from './config-reader';

/** One down or up stage of the UNet. */
export interface UNetStage {
  readonly channels: number;
  /** resnets in this stage; an up stage has one more than its down stage */
  readonly layers: number;
  /** transformer depth after each resnet; null: a stage without attention */
  readonly depths: readonly number[] | null;
  readonly heads: number;
}

export interface UNetConfig {
  /** [h,w] of the latent the model was trained on, if known; the network itself is fully convolutional */
  readonly sampleSize: readonly [number, number] | null;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly centerInputSample: boolean;
  readonly flipSinToCos: boolean;
  readonly freqShift: number;
  readonly down: readonly UNetStage[];
  /** null: no mid block (BK-SDM-small, -tiny); depth null: a single resnet (UNetMidBlock2D) */
  readonly mid: { readonly depth: number | null; readonly heads: number; readonly scale: number } | null;
  readonly up: readonly UNetStage[];
  readonly crossAttentionDim: number;
  readonly linearProjection: boolean;
  readonly upcastAttention: boolean;
  readonly groups: number;
  readonly eps: number;
  readonly downsamplePadding: number;
  /** width of the guidance embedding (LCM), null without */
  readonly timeCondProjDim: number | null;
  /** SDXL's size and pooled-text conditioning, null without */
  readonly textTime: { readonly timeEmbedDim: number; readonly inputDim: number } | null;
}

/** Bounds on a file that nobody vouches for. Stable Diffusion has 2 layers in a stage, SDXL transformers 10 deep. */
const MAX_LAYERS = 16;
const MAX_DEPTH = 32;

/** Keys of which we build the default only. @see diffusers' UNet2DConditionModel */
const ONLY: Readonly<Record<string, readonly unknown[]>> = {
  // the constructor of diffusers refuses it too: `attention_head_dim` holds the number of heads
  num_attention_heads: [null],
  only_cross_attention: [false],
  dual_cross_attention: [false],
  mid_block_only_cross_attention: [null, false],
  cross_attention_norm: [null],
  attention_type: ['default'],
  class_embed_type: [null],
  num_class_embeds: [null],
  class_embeddings_concat: [false],
  encoder_hid_dim: [null],
  encoder_hid_dim_type: [null],
  time_embedding_type: ['positional'],
  time_embedding_dim: [null],
  time_embedding_act_fn: [null],
  timestep_post_act: [null],
  resnet_time_scale_shift: ['default'],
  resnet_skip_time_act: [false],
  resnet_out_scale_factor: [1],
  conv_in_kernel: [3],
  conv_out_kernel: [3],
  dropout: [0],
  act_fn: ['silu', 'swish'],
};

/**
 * Read the config.json of a UNet2DConditionModel.
 *
 * @throws AppError UNSUPPORTED_MODEL naming the key we cannot build
 * @see FORMATS.md 1.1
 */
export function parseUNetConfig(json: unknown): UNetConfig {
  const c = new ConfigReader('UNet2DConditionModel', json);
  c.only(ONLY);
  const downTypes = c.types(
    'down_block_types',
    ['CrossAttnDownBlock2D', 'DownBlock2D'],
    [...Array<'CrossAttnDownBlock2D'>(3).fill('CrossAttnDownBlock2D'), 'DownBlock2D'],
  );
  const stages = downTypes.length;
  const upTypes = c.types(
    'up_block_types',
    ['CrossAttnUpBlock2D', 'UpBlock2D'],
    ['UpBlock2D', ...Array<'CrossAttnUpBlock2D'>(3).fill('CrossAttnUpBlock2D')],
  );
  if (upTypes.length !== stages)
    c.refuse('up_block_types', `as many entries as down_block_types (${stages})`);
  const channels = c.ints('block_out_channels', [320, 640, 1280, 1280], stages);
  const layers = c.perStage('layers_per_block', 2, stages, MAX_LAYERS);
  const heads = c.perStage('attention_head_dim', 8, stages);
  const groups = c.int('norm_num_groups', 32);
  if (channels.some((n) => n % groups !== 0)) {
    c.refuse('norm_num_groups', `a divisor of every entry of block_out_channels (${channels})`);
  }

  const midType = c.oneOf(
    'mid_block_type',
    ['UNetMidBlock2DCrossAttn', 'UNetMidBlock2D', null],
    'UNetMidBlock2DCrossAttn',
  );
  const midScale = c.positive('mid_block_scale_factor', 1);
  const depths = transformerDepths(c, layers);
  const down = downTypes.map((type, i) => ({
    channels: channels[i]!,
    layers: layers[i]!,
    depths: type === 'CrossAttnDownBlock2D' ? depths.down[i]! : null,
    heads: heads[i]!,
  }));
  const up = upTypes.map((type, i) => ({
    channels: channels[stages - 1 - i]!,
    layers: layers[stages - 1 - i]! + 1,
    depths: type === 'CrossAttnUpBlock2D' ? depths.up[i]! : null,
    heads: heads[stages - 1 - i]!,
  }));
  const mid =
    midType === null
      ? null
      : {
          depth: midType === 'UNetMidBlock2D' ? null : depths.mid,
          heads: heads[stages - 1]!,
          scale: midScale,
        };
  const attends = [...down, ...up]
    .filter((s) => s.depths)
    .concat(mid?.depth ? [{ ...down[stages - 1]! }] : []);
  if (attends.some((s) => s.channels % s.heads !== 0)) {
    c.refuse('attention_head_dim', `numbers of heads that divide block_out_channels (${channels})`);
  }
  return {
    sampleSize: sampleSize(c),
    inChannels: c.int('in_channels', 4),
    outChannels: c.int('out_channels', 4),
    centerInputSample: c.bool('center_input_sample', false),
    flipSinToCos: c.bool('flip_sin_to_cos', true),
    freqShift: c.number('freq_shift', 0),
    down,
    mid,
    up,
    crossAttentionDim: crossAttentionDim(
      c,
      down.map(
        ({ depths }, i) => !!depths || !!up[stages - 1 - i]!.depths || (i === stages - 1 && !!mid?.depth),
      ),
    ),
    linearProjection: c.bool('use_linear_projection', false),
    upcastAttention: c.bool('upcast_attention', false),
    groups,
    eps: c.positive('norm_eps', 1e-5),
    downsamplePadding: c.int('downsample_padding', 1, 0, 1),
    timeCondProjDim:
      c.raw('time_cond_proj_dim', null) === null ? null : c.int('time_cond_proj_dim', undefined),
    textTime: textTime(c),
  };
}

function sampleSize(c: ConfigReader): UNetConfig['sampleSize'] {
  const value = c.raw('sample_size', null);
  if (value === null) return null;
  if (Array.isArray(value)) return c.ints('sample_size', [], 2) as [number, number];
  const side = c.int('sample_size', undefined);
  return [side, side];
}

/** @param attends  per stage: whether anything of that width attends to the prompt */
function crossAttentionDim(c: ConfigReader, attends: readonly boolean[]): number {
  const dims = c.perStage('cross_attention_dim', 1280, attends.length);
  const used = new Set(attends.includes(true) ? dims.filter((_, i) => attends[i]) : dims.slice(0, 1));
  // one encoder_hidden_states serves every stage
  return used.size === 1
    ? [...used][0]!
    : c.refuse('cross_attention_dim', 'one width for all stages with attention');
}

function textTime(c: ConfigReader): UNetConfig['textTime'] {
  if (c.oneOf('addition_embed_type', [null, 'text_time'], null) === null) return null;
  return {
    timeEmbedDim: c.int('addition_time_embed_dim', undefined),
    inputDim: c.int('projection_class_embeddings_input_dim', undefined),
  };
}

/**
 * Depth of each transformer, from `transformer_layers_per_block` (a number, a number per stage, or a list per stage) and,
 * for pruned SDXL, `reverse_transformer_layers_per_block`.
 */
function transformerDepths(c: ConfigReader, layers: readonly number[]) {
  const stages = layers.length;
  const key = 'transformer_layers_per_block';
  const reverseKey = 'reverse_transformer_layers_per_block';
  const value = c.raw(key, 1);
  const perStage = Array.isArray(value) ? value : Array(stages).fill(value);
  const explicit = c.raw(reverseKey, null);
  const nested = perStage.some(Array.isArray);
  if (nested && explicit === null) c.refuse(reverseKey, `nested lists, since ${key} is nested`);
  const reversed = explicit === null ? perStage.toReversed() : explicit;
  const fill = (name: string, entries: unknown, counts: readonly number[]): number[][] => {
    if (!Array.isArray(entries) || entries.length !== stages) return c.refuse(name, `${stages} entries`);
    return entries.map((entry: unknown, i) => {
      const list = Array.isArray(entry) ? entry.slice(0, counts[i]!) : Array(counts[i]!).fill(entry);
      const fits = list.length === counts[i]! && list.every((d) => isInt(d, 1, MAX_DEPTH));
      return fits ? list : c.refuse(name, `${counts[i]} depths in stage ${i}`);
    });
  };
  const down = fill(key, perStage, layers);
  const up = fill(
    explicit === null ? key : reverseKey,
    reversed,
    layers.toReversed().map((n) => n + 1),
  );
  const last: unknown = perStage.at(-1);
  const mid = Array.isArray(last) ? last[0] : last;
  return { down, up, mid: isInt(mid, 1, MAX_DEPTH) ? mid : c.refuse(key, 'a depth for the mid block') };
}
