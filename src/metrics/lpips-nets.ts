/** The networks whose features LPIPS compares, as torchvision numbers the layers of `features`. */

import { type Conv2dOptions, conv2d } from '../models/layers';
import type { Net } from '../models/params';
import type { Value } from '../onnx/graph';
import { concat } from '../onnx/movement';
import * as op from '../onnx/ops';

/** One step of a network: a convolution or fire module with its ReLUs, a maximum over squares, a feature to compare. */
type Step =
  | readonly ['conv', index: number, options?: Conv2dOptions]
  | readonly ['fire', index: number]
  | readonly ['pool', side: number, rounding?: 'up']
  | readonly ['feature'];

export type LpipsNetName = 'alex' | 'vgg' | 'squeeze';

export const LPIPS_NETS: Readonly<Record<LpipsNetName, readonly Step[]>> = {
  alex: [
    ['conv', 0, { kernel: 11, stride: 4, padding: 2 }],
    ['feature'],
    ['pool', 3],
    ['conv', 3, { kernel: 5 }],
    ['feature'],
    ['pool', 3],
    ['conv', 6],
    ['feature'],
    ['conv', 8],
    ['feature'],
    ['conv', 10],
    ['feature'],
  ],
  vgg: [
    [0, 2],
    [5, 7],
    [10, 12, 14],
    [17, 19, 21],
    [24, 26, 28],
  ].flatMap((stage, i): Step[] => [
    ...(i > 0 ? [['pool', 2] as const] : []),
    ...stage.map((index) => ['conv', index] as const),
    ['feature'],
  ]),
  squeeze: [
    ['conv', 0, { stride: 2, padding: 0 }],
    ['feature'],
    ['pool', 3, 'up'],
    ['fire', 3],
    ['fire', 4],
    ['feature'],
    ['pool', 3, 'up'],
    ['fire', 6],
    ['fire', 7],
    ['feature'],
    ['pool', 3, 'up'],
    ['fire', 9],
    ['feature'],
    ['fire', 10],
    ['feature'],
    ['fire', 11],
    ['feature'],
    ['fire', 12],
    ['feature'],
  ],
};

/**
 * The features that LPIPS compares, finest first.
 *
 * @param widthOf  output channels of the convolution of this name
 * @param x        normalised pictures [B,3,H,W]
 */
export function lpipsFeatures(
  net: Net,
  steps: readonly Step[],
  widthOf: (name: string) => number,
  x: Value,
): Value[] {
  const conv = (name: string, input: Value, options?: Conv2dOptions): Value =>
    op.relu(net.g, conv2d(net, name, input, widthOf(name), options));
  const features: Value[] = [];
  let h = x;
  for (const step of steps) {
    if (step[0] === 'conv') h = conv(`features.${step[1]}`, h, step[2]);
    else if (step[0] === 'fire') {
      const name = `features.${step[1]}`;
      const squeezed = conv(`${name}.squeeze`, h, { kernel: 1 });
      const one = conv(`${name}.expand1x1`, squeezed, { kernel: 1 });
      h = concat(net.g, [one, conv(`${name}.expand3x3`, squeezed)], 1);
    } else if (step[0] === 'pool') h = pooled(net, h, step[1], step[2] === 'up');
    else features.push(h);
  }
  return features;
}

/** Maximum over squares at stride 2; rounded up, a last window hangs over the edge. */
function pooled({ g }: Net, x: Value, side: number, roundUp: boolean): Value {
  const over = x.shape.slice(2).map((d) => (roundUp ? (d - side) % 2 : 0));
  return op.maxPool(g, x, [side, side], { strides: [2, 2], pads: [0, 0, ...over] });
}
