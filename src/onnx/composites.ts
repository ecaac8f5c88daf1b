/** Functions made of ops. They are no nodes of their own, so they need no gradient rule. Float16 inputs get float32 statistics and softmax. */
import type { Graph, Shape, Value } from './graph';
import { concat, expand, reshape, split, swapLast, transpose } from './movement';
import * as op from './ops';

/** x·σ(x), one node on every backend: gradients then keep no σ(x). */
export const silu = (g: Graph, x: Value): Value => op.quickGelu(g, x, 1);

/** x·σ(1.702x), OpenAI CLIP's activation. */
export const quickGelu = (g: Graph, x: Value): Value => op.quickGelu(g, x, 1.702);

/** a·gelu(b) of the two halves of the last axis, with the exact (erf) gelu. */
export function geglu(g: Graph, x: Value): Value {
  const half = x.shape.at(-1)! / 2;
  const [a, b] = split(g, x, [half, half], -1);
  return op.mul(g, a!, op.gelu(g, b!));
}

/** Layer norm over the last axis with affine weight and bias [D]; computed in float32, returned in x's dtype. */
export function layerNorm(g: Graph, x: Value, weight: Value, bias: Value, eps: number): Value {
  const [x32, w32, b32] = [x, weight, bias].map((v) => op.cast(g, v, 'float32'));
  return op.cast(g, op.layerNormalization(g, x32!, w32!, b32, eps)[0], x.dtype);
}

/**
 * Group norm of x [B,C,...] with affine weight and bias [C]; computed in float32, returned in x's dtype.
 *
 * ONNX GroupNormalization has no GPU kernel. LayerNormalization over each group's elements is the most exact of the
 * forms that have one (1e-6 against 5e-6 with mean 100, σ 1), the fastest on the CPU, and hands out the statistics that
 * its gradient needs.
 */
export function groupNorm(
  g: Graph,
  x: Value,
  weight: Value,
  bias: Value,
  groups: number,
  eps: number,
): Value {
  const [batch, channels, ...spatial] = x.shape as readonly [number, number, ...number[]];
  const perGroup = spatial.reduce((a, b) => a * b, channels / groups);
  const ones = expand(g, op.scalar(g, 1), [perGroup]);
  const rows = reshape(g, op.cast(g, x, 'float32'), [batch * groups, perGroup]);
  const normed = reshape(g, op.layerNormalization(g, rows, ones, undefined, eps)[0], x.shape);
  const perChannel = (v: Value): Value =>
    reshape(g, op.cast(g, v, 'float32'), [1, channels, ...spatial.map(() => 1)]);
  const y = op.add(g, op.mul(g, normed, perChannel(weight)), perChannel(bias));
  return op.cast(g, y, x.dtype);
}

export interface AttentionOptions {
  readonly batch: number;
  readonly heads: number;
  /** added to the scores, broadcast to [B,N,Nq,Nk]; float32 */
  readonly mask?: Value;
  /** also multiply queries with keys in float32 (SD2.1-768 overflows in float16) */
  readonly upcast?: boolean;
  /** sees, and may replace, the probabilities [B,N,Nq,Nk] */
  readonly onProbs?: (probs: Value) => Value;
  /**
   * Query rows at a time: never hold more than [B,N,tile,Nk] scores, and let gradients compute them again. Without a
   * mask and `onProbs` only.
   */
  readonly tile?: number;
}

/**
 * softmax(q·kᵀ/√d + mask)·v per head.
 *
 * @param q  [B·Nq, C], heads folded into C   @param k,v  [B·Nk, C]
 * @returns  [B·Nq, C]
 * @see Vaswani et al. 2017, arXiv:1706.03762, eq. (1)
 */
export function attention(g: Graph, q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  const { batch, heads, mask, upcast = false, onProbs, tile } = options;
  const width = q.shape[1]! / heads;
  const dtype = q.dtype;
  const byHead = (x: Value): Value =>
    transpose(g, reshape(g, x, [batch, x.shape[0]! / batch, heads, x.shape[1]! / heads]), [0, 2, 1, 3]);
  const scored = (x: Value): Value => (upcast ? op.cast(g, x, 'float32') : x);
  // Scale q, not the scores: fewer elements. kᵀ as a transpose of its own fuses into the product on the CPU.
  const query = scored(op.mul(g, byHead(q), op.scalar(g, 1 / Math.sqrt(width), dtype)));
  const [key, value] = [swapLast(g, scored(byHead(k))), byHead(v)];
  const attend = (rows: Value): Value => {
    const scores = op.cast(g, op.matMul(g, rows, key), 'float32');
    const probs = op.softmax(g, mask ? op.add(g, scores, mask) : scores);
    return op.matMul(g, op.cast(g, onProbs ? onProbs(probs) : probs, dtype), value);
  };
  const count = query.shape[2]!;
  const whole = mask || onProbs || !tile || tile >= count;
  const parts = whole
    ? [attend(query)]
    : split(g, query, tiles(count, tile), 2).map((rows) => g.region('tile', () => attend(rows)));
  return unfold(g, concat(g, parts, 2), [q.shape[0]!, v.shape[1]!]);
}

/** `count` in pieces of `size`, the last one smaller if need be. */
const tiles = (count: number, size: number): number[] =>
  Array.from({ length: Math.ceil(count / size) }, (_, i) => Math.min(size, count - i * size));

/** [B,N,L,d] → [B·L, N·d] */
const unfold = (g: Graph, x: Value, shape: Shape): Value => reshape(g, transpose(g, x, [0, 2, 1, 3]), shape);

/** [B,C,h,w] → [B·h·w, C] */
export function toTokens(g: Graph, x: Value): Value {
  const [batch, channels, h, w] = x.shape as readonly [number, number, number, number];
  return reshape(g, transpose(g, x, [0, 2, 3, 1]), [batch * h * w, channels]);
}

/** [B·h·w, C] → [B,C,h,w], where `like` gives B, h and w */
export function fromTokens(g: Graph, x: Value, like: Shape): Value {
  const [batch, , h, w] = like as readonly [number, number, number, number];
  return transpose(g, reshape(g, x, [batch, h, w, x.shape[1]!]), [0, 3, 1, 2]);
}
