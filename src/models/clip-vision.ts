import { toTokens } from '../onnx/composites';
import type { Graph, Value } from '../onnx/graph';
import { concat, expand, reshape, slice } from '../onnx/movement';
import * as op from '../onnx/ops';
import type { ClipVisionConfig } from './clip-config';
import { clipEncoder } from './clip-encoder';
import { conv2d, layerNorm, linear } from './layers';
import { type BuildOptions, type Net, noTap, type Params } from './params';

export interface ClipVisionOutputs {
  /** CLIP's embedding of the image, not normalised, float32 [B,projectionDim]; only with a projection */
  readonly imageEmbeds?: Value;
  /** normed class token, float32 [B,D] */
  readonly pooled: Value;
  /** class token and patches after the last layer, no final norm, float32 [B,1+P,D] */
  readonly lastHiddenState: Value;
}

/**
 * CLIPVisionModel (and its WithProjection variant).
 *
 * @param pixels  float32 [B,3,S,S] with S = imageSize, normalised with CLIP's mean and standard deviation
 * @see Radford et al. 2021, arXiv:2103.00020
 */
export function clipVision(
  g: Graph,
  params: Params,
  pixels: Value,
  config: ClipVisionConfig,
  { tap = noTap, dtype = 'float32' }: BuildOptions = {},
): ClipVisionOutputs {
  const net: Net = { g, params, tap };
  const { width, patchSize, eps, projectionDim } = config;
  const name = 'vision_model';
  const batch = pixels.shape[0]!;
  const patches = conv2d(net, `${name}.embeddings.patch_embedding`, op.cast(g, pixels, dtype), width, {
    kernel: patchSize,
    stride: patchSize,
    padding: 0,
    bias: false,
  });
  const [, , rows, columns] = patches.shape as readonly [number, number, number, number];
  const tokens = 1 + rows * columns;
  const classToken = reshape(g, op.cast(g, params(`${name}.embeddings.class_embedding`, [width]), dtype), [
    1,
    1,
    width,
  ]);
  const patchTokens = reshape(g, toTokens(g, patches), [batch, tokens - 1, width]);
  const positions = params(`${name}.embeddings.position_embedding.weight`, [tokens, width]);
  let x = concat(g, [expand(g, classToken, [batch, 1, width]), patchTokens], 1);
  x = op.add(g, x, op.cast(g, positions, dtype));
  x = layerNorm(net, `${name}.pre_layrnorm`, reshape(g, x, [-1, width]), eps); // the spelling of the checkpoints
  const last = reshape(g, clipEncoder(net, `${name}.encoder`, x, config, batch).at(-1)!, [
    batch,
    tokens,
    width,
  ]);
  const cls = reshape(g, slice(g, last, [0], [1], [1]), [batch, width]);
  const pooled = layerNorm(net, `${name}.post_layernorm`, cls, eps);
  const float = (v: Value): Value => op.cast(g, v, 'float32');
  const outputs = { pooled: float(pooled), lastHiddenState: float(last) };
  if (projectionDim === null) return outputs;
  return { ...outputs, imageEmbeds: float(linear(net, 'visual_projection', pooled, projectionDim, false)) };
}
