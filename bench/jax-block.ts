/** The network of block.ts and its training step in jax-js. Functions take over the arrays they are given, `ref` keeps one. */
import { jit, lax, nn, numpy as np, valueAndGrad } from '@jax-js/jax';
import { type BlockSize, NORM_EPS, TRANSFORMER_EPS } from './block';

type Arrays = Record<string, np.Array>;

/** x [M,in] → [M,out] */
function linear(w: Arrays, name: string, x: np.Array, bias = true): np.Array {
  const { [`${name}.weight`]: weight, [`${name}.bias`]: added } = w;
  const flat = weight!.ndim === 2 ? weight! : weight!.reshape([weight!.shape[0]!, -1]);
  const y = lax.dot(x, flat, { lhsContractingDims: [1], rhsContractingDims: [1] });
  return bias ? y.add(added!) : y;
}

const perChannel = (w: Arrays, name: string): np.Array => w[name]!.reshape([1, -1, 1, 1]);

function conv(w: Arrays, name: string, x: np.Array): np.Array {
  return lax.conv(x, w[`${name}.weight`]!, [1, 1], 'SAME').add(perChannel(w, `${name}.bias`));
}

function groupNorm(w: Arrays, name: string, x: np.Array, groups: number, epsilon: number): np.Array {
  const { shape } = x;
  const rows = nn.standardize(x.reshape([shape[0]!, groups, -1]), -1, { epsilon });
  return rows
    .reshape(shape)
    .mul(perChannel(w, `${name}.weight`))
    .add(perChannel(w, `${name}.bias`));
}

const layerNorm = (w: Arrays, name: string, x: np.Array): np.Array =>
  nn.standardize(x, -1, { epsilon: 1e-5 }).mul(w[`${name}.weight`]!).add(w[`${name}.bias`]!);

function resnetBlock(w: Arrays, x: np.Array, time: np.Array, groups: number): np.Array {
  let h = nn.silu(groupNorm(w, 'resnet.norm1', x.ref, groups, NORM_EPS));
  h = conv(w, 'resnet.conv1', h);
  const shift = linear(w, 'resnet.time_emb_proj', time);
  h = h.add(shift.reshape([...shift.shape, 1, 1]));
  h = nn.silu(groupNorm(w, 'resnet.norm2', h, groups, NORM_EPS));
  return conv(w, 'resnet.conv2', h).add(x);
}

/** @param x,context  [B·N,C], [B·L,D] */
function attention(
  w: Arrays,
  name: string,
  x: np.Array,
  context: np.Array,
  { batch, heads }: BlockSize,
): np.Array {
  const shape = x.shape;
  const byHead = (v: np.Array): np.Array =>
    v.reshape([batch, v.shape[0]! / batch, heads, v.shape[1]! / heads]);
  const q = byHead(linear(w, `${name}.to_q`, x, false));
  const k = byHead(linear(w, `${name}.to_k`, context.ref, false));
  const v = byHead(linear(w, `${name}.to_v`, context, false));
  return linear(w, `${name}.to_out.0`, nn.dotProductAttention(q, k, v).reshape(shape));
}

function transformer(w: Arrays, x: np.Array, context: np.Array, size: BlockSize): np.Array {
  const { batch, channels, side, groups } = size;
  const block = 'transformer.transformer_blocks.0';
  const normed = groupNorm(w, 'transformer.norm', x.ref, groups, TRANSFORMER_EPS);
  let h = np.transpose(normed, [0, 2, 3, 1]).reshape([batch * side * side, channels]);
  h = linear(w, 'transformer.proj_in', h);
  const own = layerNorm(w, `${block}.norm1`, h.ref);
  h = attention(w, `${block}.attn1`, own.ref, own, size).add(h);
  h = attention(w, `${block}.attn2`, layerNorm(w, `${block}.norm2`, h.ref), context, size).add(h);
  const [a, b] = np.split(linear(w, `${block}.ff.net.0.proj`, layerNorm(w, `${block}.norm3`, h.ref)), 2, -1);
  h = linear(w, `${block}.ff.net.2`, a!.mul(nn.gelu(b!, { approximate: false }))).add(h);
  const y = linear(w, 'transformer.proj_out', h).reshape([batch, side, side, channels]);
  return np.transpose(y, [0, 3, 1, 2]).add(x);
}

type Feeds = { x: np.Array; time: np.Array; context: np.Array; target: np.Array };

const lossOf =
  (size: BlockSize) =>
  (w: Arrays, { x, time, context, target }: Feeds): np.Array => {
    const y = transformer(w, resnetBlock(w, x, time, size.groups), context, size);
    return np.square(y.sub(target)).mean();
  };

/** Weights and moments. */
export type JaxState = { w: Arrays; m: Arrays; v: Arrays };

export interface AdamW {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
}

/** Loss, gradients and AdamW as one compiled function; `scalars` are [decay, rate, correction], as our optimiser has them. */
export function jaxStep(size: BlockSize, { beta1, beta2, eps }: AdamW) {
  const both = valueAndGrad(lossOf(size));
  return jit((state: JaxState, feeds: Feeds, scalars: np.Array): [np.Array, JaxState] => {
    const { w, m, v } = state;
    const [decay, rate, correction] = np.split(scalars, 3).map((scalar) => scalar.reshape([]));
    const names = Object.keys(w);
    const held = Object.fromEntries(names.map((name) => [name, w[name]!.ref]));
    const [loss, gradients] = both(held, feeds) as [np.Array, Arrays];
    const next: JaxState = { w: {}, m: {}, v: {} };
    for (const name of names) {
      const d = gradients[name]!;
      const mean = m[name]!.mul(beta1).add(d.ref.mul(1 - beta1));
      const square = v[name]!.mul(beta2).add(np.square(d).mul(1 - beta2));
      const root = np.sqrt(square.ref).mul(correction!.ref).add(eps);
      const step = mean.ref.div(root).mul(rate!.ref);
      next.w[name] = w[name]!.mul(decay!.ref).sub(step);
      next.m[name] = mean;
      next.v[name] = square;
    }
    for (const scalar of [decay, rate, correction]) scalar!.dispose();
    return [loss, next];
  });
}
