import { silu } from '../onnx/composites';
import type { Graph, Value } from '../onnx/graph';
import { split } from '../onnx/movement';
import * as op from '../onnx/ops';
import { spatialAttention } from './attention';
import { conv2d, downsample, groupNorm, resnetBlock, upsample } from './layers';
import { type BuildOptions, type Net, noTap, type Params } from './params';
import type { VaeConfig } from './vae-config';

/** GroupNorm eps of every norm in AutoencoderKL. */
const EPS = 1e-6;

export interface Posterior {
  /** mean and log-variance joined, before clamping, [B,2C,h,w] */
  readonly moments: Value;
  readonly mean: Value;
  /** in [-30, 20]; σ = exp(logvar/2) */
  readonly logvar: Value;
}

/**
 * AutoencoderKL encoder: image [B,3,H,W] in [-1,1] → posterior of z, [B,C,h,w] each, float32.
 * The latent that the UNet sees is (z - shiftFactor)·scalingFactor.
 */
export function vaeEncode(
  g: Graph,
  params: Params,
  image: Value,
  config: VaeConfig,
  { tap = noTap, dtype = 'float32' }: BuildOptions = {},
): Posterior {
  const net: Net = { g, params, tap };
  const { channels, layers, groups, latentChannels } = config;
  let x = conv2d(net, 'encoder.conv_in', op.cast(g, image, dtype), channels[0]!);
  channels.forEach((out, i) => {
    const block = `encoder.down_blocks.${i}`;
    for (let j = 0; j < layers; j++) {
      x = resnetBlock(net, `${block}.resnets.${j}`, x, out, { groups, eps: EPS });
    }
    // unlike the UNet: no padding but one row below and one column to the right
    if (i < channels.length - 1) x = downsample(net, `${block}.downsamplers.0`, x, 0);
  });
  x = midBlock(net, 'encoder.mid_block', x, config);
  x = silu(g, groupNorm(net, 'encoder.conv_norm_out', x, groups, EPS));
  x = conv2d(net, 'encoder.conv_out', x, 2 * latentChannels);
  if (config.quantConv) x = conv2d(net, 'quant_conv', x, 2 * latentChannels, { kernel: 1 });
  const moments = op.cast(g, x, 'float32');
  const [mean, logvar] = split(g, moments, [latentChannels, latentChannels], 1);
  return { moments, mean: mean!, logvar: op.clip(g, logvar!, -30, 20) };
}

/** AutoencoderKL decoder: z [B,C,h,w] (unscaled) → image [B,3,H,W] in about [-1,1], float32. */
export function vaeDecode(
  g: Graph,
  params: Params,
  z: Value,
  config: VaeConfig,
  { tap = noTap, dtype = 'float32' }: BuildOptions = {},
): Value {
  const net: Net = { g, params, tap };
  const { layers, groups, latentChannels } = config;
  const channels = config.channels.toReversed();
  let x = op.cast(g, z, dtype);
  if (config.postQuantConv) x = conv2d(net, 'post_quant_conv', x, latentChannels, { kernel: 1 });
  x = conv2d(net, 'decoder.conv_in', x, channels[0]!);
  x = midBlock(net, 'decoder.mid_block', x, config);
  channels.forEach((out, i) => {
    const block = `decoder.up_blocks.${i}`;
    for (let j = 0; j <= layers; j++) {
      x = resnetBlock(net, `${block}.resnets.${j}`, x, out, { groups, eps: EPS });
    }
    if (i < channels.length - 1) x = upsample(net, `${block}.upsamplers.0`, x);
  });
  x = silu(g, groupNorm(net, 'decoder.conv_norm_out', x, groups, EPS));
  return op.cast(g, conv2d(net, 'decoder.conv_out', x, config.outChannels), 'float32');
}

/** Resnet, attention with a single head, resnet. */
function midBlock(net: Net, name: string, x: Value, { groups, midAttention }: VaeConfig): Value {
  const options = { groups, eps: EPS };
  const out = x.shape[1]!;
  let h = resnetBlock(net, `${name}.resnets.0`, x, out, options);
  if (midAttention) h = spatialAttention(net, `${name}.attentions.0`, h, { ...options, heads: 1 });
  return resnetBlock(net, `${name}.resnets.1`, h, out, options);
}
