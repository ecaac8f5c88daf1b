import { silu } from '../onnx/composites';
import type { Graph, Value } from '../onnx/graph';
import { concat, reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import { AppError } from '../util/errors';
import { transformer2d } from './attention';
import { commonBatch, conv2d, downsample, groupNorm, linear, resnetBlock, upsample } from './layers';
import { type BuildOptions, type Net, noTap, type Params } from './params';
import type { UNetConfig } from './unet-config';

/** All float32. Shapes: B batch, C channels, h,w latent pixels, L tokens, D text width. */
export interface UNetInputs {
  /** noisy latent [B,C,h,w] */
  readonly sample: Value;
  /** sinusoid of the timestep [B, C0], from `timestepEmbedding` on the host */
  readonly timeEmbedding: Value;
  /** prompt [B,L,D] */
  readonly encoderHiddenStates: Value;
  /** guidance embedding [B, timeCondProjDim], exactly for models that have it */
  readonly timestepCond?: Value;
  /** SDXL: pooled text and sinusoids of the six sizes, joined, [B, textTime.inputDim] */
  readonly textTime?: Value;
}

/** Declare the feeds of a UNet, named as here in snake case. */
export function unetInputs(
  g: Graph,
  config: UNetConfig,
  size: { readonly batch: number; readonly height: number; readonly width: number; readonly tokens: number },
): UNetInputs {
  const { batch, height, width, tokens } = size;
  const { timeCondProjDim, textTime } = config;
  return {
    sample: g.feed('sample', [batch, config.inChannels, height, width]),
    timeEmbedding: g.feed('time_embedding', [batch, config.down[0]!.channels]),
    encoderHiddenStates: g.feed('encoder_hidden_states', [batch, tokens, config.crossAttentionDim]),
    ...(timeCondProjDim && { timestepCond: g.feed('timestep_cond', [batch, timeCondProjDim]) }),
    ...(textTime && { textTime: g.feed('text_time', [batch, textTime.inputDim]) }),
  };
}

/**
 * UNet2DConditionModel: the network's prediction [B,outChannels,h,w], float32 (noise, v or sample, by the schedule).
 *
 * @throws AppError SHAPE when the inputs do not fit the config
 * @see FORMATS.md 1.2; diffusers' unet_2d_condition.py
 */
export function unet(
  g: Graph,
  params: Params,
  inputs: UNetInputs,
  config: UNetConfig,
  { tap = noTap, dtype = 'float32', attentionTile }: BuildOptions = {},
): Value {
  const net: Net = { g, params, tap, ...(attentionTile && { attentionTile }) };
  const { groups, eps, linearProjection, upcastAttention: upcast } = config;
  commonBatch(...Object.values(inputs));
  expectCondition('timestepCond', config.timeCondProjDim, inputs.timestepCond);
  expectCondition('textTime', config.textTime?.inputDim, inputs.textTime);
  const [sample, prompt] = [inputs.sample, inputs.encoderHiddenStates].map((v) => op.cast(g, v, dtype));
  const context = reshape(g, prompt!, [-1, config.crossAttentionDim]);
  const time = silu(g, timeEmbedding(net, inputs, config, dtype));

  const resnet = (name: string, x: Value, out: number, scale = 1): Value =>
    g.region('block', () => resnetBlock(net, name, x, out, { groups, eps, time, scale }));
  const transformer = (name: string, x: Value, heads: number, depth: number): Value =>
    g.region('block', () =>
      transformer2d(net, name, x, { heads, depth, groups, linearProjection, upcast, context }),
    );

  let x = conv2d(net, 'conv_in', centred(net, sample!, config), config.down[0]!.channels);
  const skips = [x];
  config.down.forEach(({ channels, layers, depths, heads }, i) => {
    for (let j = 0; j < layers; j++) {
      x = resnet(`down_blocks.${i}.resnets.${j}`, x, channels);
      if (depths) x = transformer(`down_blocks.${i}.attentions.${j}`, x, heads, depths[j]!);
      skips.push(x);
    }
    if (i < config.down.length - 1) {
      x = downsample(net, `down_blocks.${i}.downsamplers.0`, x, config.downsamplePadding);
      skips.push(x);
    }
  });

  if (config.mid) {
    const { depth, heads, scale } = config.mid;
    const channels = x.shape[1]!;
    x = resnet('mid_block.resnets.0', x, channels, scale);
    if (depth !== null) {
      x = transformer('mid_block.attentions.0', x, heads, depth);
      x = resnet('mid_block.resnets.1', x, channels, scale);
    }
  }

  config.up.forEach(({ channels, layers, depths, heads }, i) => {
    for (let j = 0; j < layers; j++) {
      x = resnet(`up_blocks.${i}.resnets.${j}`, concat(g, [x, skips.pop()!], 1), channels);
      if (depths) x = transformer(`up_blocks.${i}.attentions.${j}`, x, heads, depths[j]!);
    }
    // the next skip's size, which is not always twice this one's
    const size = skips.at(-1)?.shape.slice(2);
    if (size) x = upsample(net, `up_blocks.${i}.upsamplers.0`, x, size);
  });

  x = silu(g, groupNorm(net, 'conv_norm_out', x, groups, eps));
  x = conv2d(net, 'conv_out', x, config.outChannels);
  return op.cast(g, x, 'float32');
}

/** A conditioning input is given exactly when the config asks for it. */
function expectCondition(name: string, width: number | null | undefined, input: Value | undefined): void {
  if (input?.shape[1] === (width ?? undefined)) return;
  throw new AppError(
    'SHAPE',
    `UNet input ${name}: expected width ${width ?? 'none'}, found [${input?.shape}]`,
  );
}

/** 2x-1 for the models that want images in [-1,1] but are fed [0,1]. */
function centred({ g }: Net, x: Value, { centerInputSample }: UNetConfig): Value {
  if (!centerInputSample) return x;
  return op.sub(g, op.mul(g, x, op.scalar(g, 2, x.dtype)), op.scalar(g, 1, x.dtype));
}

/** Sinusoid (+ guidance) → two-layer MLP (+ SDXL's size and pooled-text MLP), [B, 4·C0]. */
function timeEmbedding(
  net: Net,
  { timeEmbedding: sinusoid, timestepCond, textTime }: UNetInputs,
  config: UNetConfig,
  dtype: 'float32' | 'float16',
): Value {
  const { g } = net;
  const width = 4 * config.down[0]!.channels;
  const mlp = (name: string, x: Value): Value =>
    linear(net, `${name}.linear_2`, silu(g, linear(net, `${name}.linear_1`, x, width)), width);
  let emb = op.cast(g, sinusoid, dtype);
  if (timestepCond) {
    const cond = op.cast(g, timestepCond, dtype);
    emb = op.add(g, emb, linear(net, 'time_embedding.cond_proj', cond, emb.shape[1]!, false));
  }
  const time = mlp('time_embedding', emb);
  return textTime ? op.add(g, time, mlp('add_embedding', op.cast(g, textTime, dtype))) : time;
}
