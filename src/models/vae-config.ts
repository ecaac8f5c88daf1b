import { ConfigReader } from './config-reader';

/** AutoencoderKL. GroupNorm eps is 1e-6 throughout. */
export interface VaeConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** per stage, from pixels to latent */
  readonly channels: readonly number[];
  /** resnets per encoder stage; a decoder stage has one more */
  readonly layers: number;
  readonly latentChannels: number;
  readonly groups: number;
  readonly midAttention: boolean;
  readonly quantConv: boolean;
  readonly postQuantConv: boolean;
  /** latent = (z - shift)·scale */
  readonly scalingFactor: number;
  readonly shiftFactor: number;
  /** the model overflows in float16 */
  readonly forceUpcast: boolean;
}

/** Pixels per latent pixel along a side. */
export const vaeFactor = (config: VaeConfig | TinyVaeConfig): number =>
  'channels' in config
    ? 2 ** (config.channels.length - 1)
    : config.upsampleFactor ** (config.decoderBlocks.length - 1);

/** @throws AppError UNSUPPORTED_MODEL naming the key  @see FORMATS.md 1.4 */
export function parseVaeConfig(json: unknown): VaeConfig {
  const c = new ConfigReader('AutoencoderKL', json);
  c.only({ act_fn: ['silu', 'swish'], latents_mean: [null], latents_std: [null] });
  const down = c.types('down_block_types', ['DownEncoderBlock2D'], ['DownEncoderBlock2D']);
  const up = c.types('up_block_types', ['UpDecoderBlock2D'], ['UpDecoderBlock2D']);
  if (up.length !== down.length)
    c.refuse('up_block_types', `as many entries as down_block_types (${down.length})`);
  const channels = c.ints('block_out_channels', [64], down.length);
  const groups = c.int('norm_num_groups', 32);
  if (channels.some((n) => n % groups !== 0)) {
    c.refuse('norm_num_groups', `a divisor of every entry of block_out_channels (${channels})`);
  }
  return {
    inChannels: c.int('in_channels', 3),
    outChannels: c.int('out_channels', 3),
    channels,
    layers: c.int('layers_per_block', 1, 1, 64),
    latentChannels: c.int('latent_channels', 4),
    groups,
    midAttention: c.bool('mid_block_add_attention', true),
    quantConv: c.bool('use_quant_conv', true),
    postQuantConv: c.bool('use_post_quant_conv', true),
    scalingFactor: c.positive('scaling_factor', 0.18215),
    shiftFactor: c.raw('shift_factor', null) === null ? 0 : c.number('shift_factor', 0),
    forceUpcast: c.bool('force_upcast', true),
  };
}

/** AutoencoderTiny (TAESD). One width per half: diffusers' own forward cannot change it between stages. */
export interface TinyVaeConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly latentChannels: number;
  readonly encoderWidth: number;
  readonly decoderWidth: number;
  /** residual blocks per stage */
  readonly encoderBlocks: readonly number[];
  readonly decoderBlocks: readonly number[];
  readonly upsampleFactor: number;
  readonly activation: 'relu' | 'silu' | 'gelu';
  readonly scalingFactor: number;
  readonly shiftFactor: number;
}

/** @throws AppError UNSUPPORTED_MODEL naming the key  @see FORMATS.md 1.5 */
export function parseTinyVaeConfig(json: unknown): TinyVaeConfig {
  const c = new ConfigReader('AutoencoderTiny', json);
  c.only({ upsample_fn: ['nearest'] });
  const blocks = (key: string, fallback: readonly number[]): readonly number[] => {
    const value = c.raw(key, fallback);
    const fits = Array.isArray(value) && value.every((n) => Number.isInteger(n) && n >= 0 && n <= 64);
    return fits && value.length > 0 ? (value as number[]) : c.refuse(key, 'a list of numbers of blocks');
  };
  const encoderBlocks = blocks('num_encoder_blocks', [1, 3, 3, 3]);
  const decoderBlocks = blocks('num_decoder_blocks', [3, 3, 3, 1]);
  const width = (key: string, stages: number): number => {
    const widths = c.ints(key, Array(stages).fill(64), stages);
    return new Set(widths).size === 1 ? widths[0]! : c.refuse(key, 'the same width in all stages');
  };
  return {
    inChannels: c.int('in_channels', 3),
    outChannels: c.int('out_channels', 3),
    latentChannels: c.int('latent_channels', 4),
    encoderWidth: width('encoder_block_out_channels', encoderBlocks.length),
    decoderWidth: width('decoder_block_out_channels', decoderBlocks.length),
    encoderBlocks,
    decoderBlocks,
    upsampleFactor: c.int('upsampling_scaling_factor', 2, 1, 8),
    activation: c.oneOf('act_fn', ['relu', 'silu', 'gelu'], 'relu'),
    scalingFactor: c.positive('scaling_factor', 1),
    shiftFactor: c.number('shift_factor', 0),
  };
}
