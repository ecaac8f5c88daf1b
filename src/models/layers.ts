import * as composites from '../onnx/composites';
import type { Value } from '../onnx/graph';
import { reshape, resize } from '../onnx/movement';
import * as op from '../onnx/ops';
import { AppError } from '../util/errors';
import type { Net } from './params';

const weight = ({ g, params }: Net, name: string, shape: readonly number[], x: Value): Value =>
  op.cast(g, params(name, shape), x.dtype);

/** nn.Linear: x [...,in] → [...,out]; weight `name`.weight [out,in]. */
export function linear(net: Net, name: string, x: Value, out: number, bias = true): Value {
  const { g } = net;
  const width = x.shape.at(-1)!;
  const w = weight(net, `${name}.weight`, [out, width], x);
  const b = bias ? weight(net, `${name}.bias`, [out], x) : undefined;
  const y = op.gemm(g, reshape(g, x, [-1, width]), w, b, { transB: true });
  return reshape(g, y, [...x.shape.slice(0, -1), out]);
}

/** A 1×1 nn.Conv2d applied to tokens [M,in] → [M,out]; weight `name`.weight [out,in,1,1]. */
export function pointwise(net: Net, name: string, x: Value, out: number): Value {
  const { g } = net;
  const width = x.shape[1]!;
  const w = reshape(g, weight(net, `${name}.weight`, [out, width, 1, 1], x), [out, width]);
  return op.gemm(g, x, w, weight(net, `${name}.bias`, [out], x), { transB: true });
}

export interface Conv2dOptions {
  /** side of the square kernel; default 3 */
  readonly kernel?: number;
  readonly stride?: number;
  /** all four sides, or [top, left, bottom, right]; default keeps the size at stride 1 */
  readonly padding?: number | readonly [number, number, number, number];
  readonly bias?: boolean;
}

/** nn.Conv2d: x [B,in,h,w] → [B,out,h',w']; weight `name`.weight [out,in,k,k]. */
export function conv2d(net: Net, name: string, x: Value, out: number, options: Conv2dOptions = {}): Value {
  const { kernel = 3, stride = 1, padding = (kernel - 1) / 2, bias = true } = options;
  const w = weight(net, `${name}.weight`, [out, x.shape[1]!, kernel, kernel], x);
  const b = bias ? weight(net, `${name}.bias`, [out], x) : undefined;
  const pads = typeof padding === 'number' ? Array<number>(4).fill(padding) : padding;
  return op.conv(net.g, x, w, b, { strides: [stride, stride], pads });
}

/** nn.GroupNorm of x [B,C,h,w]; statistics in float32. */
export function groupNorm({ g, params }: Net, name: string, x: Value, groups: number, eps: number): Value {
  const shape = [x.shape[1]!];
  return composites.groupNorm(
    g,
    x,
    params(`${name}.weight`, shape),
    params(`${name}.bias`, shape),
    groups,
    eps,
  );
}

/** nn.LayerNorm over the last axis; statistics in float32. */
export function layerNorm({ g, params }: Net, name: string, x: Value, eps = 1e-5): Value {
  const shape = [x.shape.at(-1)!];
  return composites.layerNorm(g, x, params(`${name}.weight`, shape), params(`${name}.bias`, shape), eps);
}

/** x / factor, nothing for factor 1 */
export const rescale = ({ g }: Net, x: Value, factor: number): Value =>
  factor === 1 ? x : op.mul(g, x, op.scalar(g, 1 / factor, x.dtype));

export interface ResnetOptions {
  readonly groups: number;
  readonly eps: number;
  /** SiLU of the time embedding [B,T], shared by all blocks; a VAE has none */
  readonly time?: Value;
  /** output_scale_factor: the sum is divided by it */
  readonly scale?: number;
}

/** ResnetBlock2D: x [B,C,h,w] → [B,out,h,w]. */
export function resnetBlock(net: Net, name: string, x: Value, out: number, options: ResnetOptions): Value {
  const { g } = net;
  const { groups, eps, time, scale = 1 } = options;
  let h = composites.silu(g, groupNorm(net, `${name}.norm1`, x, groups, eps));
  h = conv2d(net, `${name}.conv1`, h, out);
  if (time) h = op.add(g, h, reshape(g, linear(net, `${name}.time_emb_proj`, time, out), [-1, out, 1, 1]));
  h = composites.silu(g, groupNorm(net, `${name}.norm2`, h, groups, eps));
  h = conv2d(net, `${name}.conv2`, h, out);
  const residual = x.shape[1] === out ? x : conv2d(net, `${name}.conv_shortcut`, x, out, { kernel: 1 });
  return rescale(net, op.add(g, residual, h), scale);
}

/**
 * Downsample2D: 3×3 convolution with stride 2. diffusers pads with `padding`, except that 0 means one row below and one
 * column to the right (the VAE's way).
 */
export function downsample(net: Net, name: string, x: Value, padding: number): Value {
  const pads = padding === 0 ? ([0, 0, 1, 1] as const) : padding;
  return conv2d(net, `${name}.conv`, x, x.shape[1]!, { stride: 2, padding: pads });
}

/** Upsample2D: nearest-neighbour to `size` (default twice as large), then a 3×3 convolution. */
export function upsample(net: Net, name: string, x: Value, size = x.shape.slice(2).map((d) => 2 * d)): Value {
  return conv2d(net, `${name}.conv`, resize(net.g, x, size), x.shape[1]!);
}

/** Activations by their name in config.json. */
export const ACTIVATIONS = {
  silu: composites.silu,
  swish: composites.silu,
  relu: op.relu,
  gelu: op.gelu,
  quick_gelu: composites.quickGelu,
} as const;

export type Activation = keyof typeof ACTIVATIONS;

export const activate = ({ g }: Net, name: Activation, x: Value): Value => ACTIVATIONS[name](g, x);

/** The batch size that all inputs agree on. @throws AppError SHAPE */
export function commonBatch(...inputs: readonly (Value | undefined)[]): number {
  const sizes = inputs.flatMap((v) => v?.shape[0] ?? []);
  if (new Set(sizes).size !== 1) throw new AppError('SHAPE', `inputs have batch sizes [${sizes}]`);
  return sizes[0]!;
}
