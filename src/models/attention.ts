import * as composites from '../onnx/composites';
import type { Value } from '../onnx/graph';
import { reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import { groupNorm, layerNorm, linear, pointwise } from './layers';
import { type Net, noTap } from './params';

export interface AttentionOptions {
  readonly batch: number;
  readonly heads: number;
  /** tokens that keys and values come from [B·L, D]; default: x itself */
  readonly context?: Value;
  /** bias of the q, k and v projections; the output projection always has one */
  readonly bias?: boolean;
  readonly upcast?: boolean;
}

/**
 * diffusers' Attention on tokens x [B·N, C], without norm and residual.
 * Taps: '<name>.k' and '.v' [B,Nk,C], '<name>.probs' [B,heads,Nq,Nk] after softmax, '<name>.out' [B,N,C] after to_out, before the residual sum.
 */
export function attention(net: Net, name: string, x: Value, options: AttentionOptions): Value {
  const { batch, heads, context = x, bias = false, upcast = false } = options;
  const width = x.shape[1]!;
  const q = linear(net, `${name}.to_q`, x, width, bias);
  const k = tapTokens(net, `${name}.k`, linear(net, `${name}.to_k`, context, width, bias), batch);
  const v = tapTokens(net, `${name}.v`, linear(net, `${name}.to_v`, context, width, bias), batch);
  const tiled = net.attentionTile
    ? { tile: net.attentionTile }
    : { onProbs: (probs: Value): Value => net.tap(`${name}.probs`, probs) };
  const mixed = composites.attention(net.g, q, k, v, { batch, heads, upcast, ...tiled });
  return tapTokens(net, `${name}.out`, linear(net, `${name}.to_out.0`, mixed, width), batch);
}

/** Show tokens [B·N, C] to the tap as [B,N,C]; costs no node when nobody watches. */
function tapTokens({ g, tap }: Net, name: string, x: Value, batch: number): Value {
  if (tap === noTap) return x;
  return reshape(g, tap(name, reshape(g, x, [batch, -1, x.shape[1]!])), x.shape);
}

export interface TransformerOptions {
  readonly heads: number;
  readonly depth: number;
  readonly groups: number;
  /** true: proj_in and proj_out are Linear (SD2, SDXL); false: 1×1 convolutions */
  readonly linearProjection: boolean;
  readonly upcast: boolean;
  /** encoder hidden states as tokens [B·L, D] */
  readonly context: Value;
}

/** Transformer2DModel: x [B,C,h,w] → [B,C,h,w]. Its group norm has eps 1e-6 whatever the config says. */
export function transformer2d(net: Net, name: string, x: Value, options: TransformerOptions): Value {
  const { heads, depth, groups, linearProjection, upcast, context } = options;
  const { g } = net;
  const [batch, channels] = x.shape as readonly [number, number];
  const project = linearProjection ? linear : pointwise;
  let tokens = composites.toTokens(g, groupNorm(net, `${name}.norm`, x, groups, 1e-6));
  tokens = project(net, `${name}.proj_in`, tokens, channels);
  for (let i = 0; i < depth; i++) {
    const block = `${name}.transformer_blocks.${i}`;
    tokens = basicTransformerBlock(net, block, tokens, { batch, heads, upcast, context });
  }
  tokens = project(net, `${name}.proj_out`, tokens, channels);
  return op.add(g, composites.fromTokens(g, tokens, x.shape), x);
}

type BlockOptions = Required<Pick<AttentionOptions, 'batch' | 'heads' | 'upcast' | 'context'>>;

/** Self-attention, cross-attention and GEGLU feed-forward, each with a norm before and a residual sum after. */
function basicTransformerBlock(net: Net, name: string, x: Value, options: BlockOptions): Value {
  const { g } = net;
  const { context, ...self } = options;
  const width = x.shape[1]!;
  let h = op.add(g, attention(net, `${name}.attn1`, layerNorm(net, `${name}.norm1`, x), self), x);
  h = op.add(g, attention(net, `${name}.attn2`, layerNorm(net, `${name}.norm2`, h), options), h);
  const inner = linear(net, `${name}.ff.net.0.proj`, layerNorm(net, `${name}.norm3`, h), 8 * width);
  return op.add(g, linear(net, `${name}.ff.net.2`, composites.geglu(g, inner), width), h);
}

export interface SpatialAttentionOptions {
  readonly groups: number;
  readonly eps: number;
  readonly heads: number;
}

/** The VAE's attention over pixels: x [B,C,h,w] → [B,C,h,w], with norm, biases and residual sum. */
export function spatialAttention(net: Net, name: string, x: Value, options: SpatialAttentionOptions): Value {
  const { g } = net;
  const { groups, eps, heads } = options;
  const tokens = composites.toTokens(g, groupNorm(net, `${name}.group_norm`, x, groups, eps));
  const mixed = attention(net, name, tokens, { batch: x.shape[0]!, heads, bias: true });
  return op.add(g, composites.fromTokens(g, mixed, x.shape), x);
}
