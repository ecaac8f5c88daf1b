/** One level of the starter's UNet: a residual block and a transformer block, to train whole. */

import { transformer2d } from '../src/models/attention';
import { resnetBlock } from '../src/models/layers';
import { noTap } from '../src/models/params';
import { Graph, type Shape, type Value } from '../src/onnx/graph';
import * as op from '../src/onnx/ops';
import type { NdArray } from '../src/util/nd-array';
import { noise, weight } from './networks';

export interface BlockSize {
  readonly batch: number;
  readonly channels: number;
  /** of the picture of features, square */
  readonly side: number;
  readonly groups: number;
  readonly heads: number;
  readonly tokens: number;
  /** of the tokens */
  readonly width: number;
  /** of the time embedding */
  readonly time: number;
}

export const BLOCKS = {
  /** as in public/models/starter/unet/config.json, two rows */
  starter: { batch: 2, channels: 64, side: 16, groups: 16, heads: 4, tokens: 32, width: 128, time: 256 },
  /** small enough for the software WebGPU adapter */
  tiny: { batch: 1, channels: 16, side: 8, groups: 8, heads: 2, tokens: 8, width: 16, time: 32 },
  /** the outer level of Stable Diffusion 1.5 for a picture of 256 pixels */
  sd: { batch: 1, channels: 320, side: 32, groups: 32, heads: 8, tokens: 77, width: 768, time: 1280 },
} as const satisfies Readonly<Record<string, BlockSize>>;

export const NORM_EPS = 1e-5;
/** of the transformer's group norm, whatever the others are */
export const TRANSFORMER_EPS = 1e-6;

export interface TrainableBlock {
  readonly graph: Graph;
  /** mean squared error of the block's output */
  readonly loss: Value;
  /** all of them train */
  readonly weights: ReadonlyMap<string, NdArray>;
  readonly feeds: Readonly<Record<'x' | 'time' | 'context' | 'target', NdArray>>;
}

export function trainableBlock(size: BlockSize): TrainableBlock {
  const { batch, channels, side, groups, heads, tokens, width, time } = size;
  const shapes = {
    x: [batch, channels, side, side],
    time: [batch, time],
    context: [batch * tokens, width],
    target: [batch, channels, side, side],
  } as const;
  const graph = new Graph();
  const feed = (name: keyof typeof shapes): Value => graph.feed(name, shapes[name]);
  const net = { g: graph, params: (name: string, shape: Shape) => graph.weight(name, shape), tap: noTap };
  const h = resnetBlock(net, 'resnet', feed('x'), channels, { groups, eps: NORM_EPS, time: feed('time') });
  const transformer = { heads, depth: 1, groups, linearProjection: false, upcast: false };
  const y = transformer2d(net, 'transformer', h, { ...transformer, context: feed('context') });
  const error = op.sub(graph, y, feed('target'));
  return {
    graph,
    loss: op.reduceMean(graph, op.mul(graph, error, error), [0, 1, 2, 3], false),
    weights: new Map([...graph.weights].map(([name, { shape }]) => [name, weight(name, shape)])),
    feeds: {
      x: noise(shapes.x, 1, 1),
      time: noise(shapes.time, 1, 2),
      context: noise(shapes.context, 1, 3),
      target: noise(shapes.target, 1, 4),
    },
  };
}
