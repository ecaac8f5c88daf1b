import type { Graph, Value } from '../onnx/graph';
import { resize } from '../onnx/movement';
import * as op from '../onnx/ops';
import { activate, conv2d } from './layers';
import { type BuildOptions, type Net, noTap, type Params } from './params';
import type { TinyVaeConfig } from './vae-config';

/** AutoencoderTiny (TAESD) encoder: image [B,3,H,W] in [-1,1] → latent [B,C,h,w] at the UNet's scale, float32. */
export function tinyVaeEncode(
  g: Graph,
  params: Params,
  image: Value,
  config: TinyVaeConfig,
  { tap = noTap, dtype = 'float32' }: BuildOptions = {},
): Value {
  const net: Net = { g, params, tap };
  const { encoderWidth: width } = config;
  let layer = 0;
  const next = (): string => `encoder.layers.${layer++}`;
  const half = op.scalar(g, 0.5, dtype);
  let x = op.add(g, op.mul(g, op.cast(g, image, dtype), half), half);
  config.encoderBlocks.forEach((blocks, i) => {
    x = conv2d(net, next(), x, width, i === 0 ? {} : { stride: 2, padding: 1, bias: false });
    for (let j = 0; j < blocks; j++) x = tinyBlock(net, next(), x, config);
  });
  return op.cast(g, conv2d(net, next(), x, config.latentChannels), 'float32');
}

/** AutoencoderTiny (TAESD) decoder: latent [B,C,h,w] at the UNet's scale → image [B,3,H,W] in about [-1,1], float32. */
export function tinyVaeDecode(
  g: Graph,
  params: Params,
  latent: Value,
  config: TinyVaeConfig,
  { tap = noTap, dtype = 'float32' }: BuildOptions = {},
): Value {
  const net: Net = { g, params, tap };
  const { decoderWidth: width, upsampleFactor, activation } = config;
  let layer = 0;
  const next = (): string => `decoder.layers.${layer++}`;
  const scalar = (v: number): Value => op.scalar(g, v, dtype);
  // a soft clamp to [-3, 3]
  let x = op.mul(g, op.tanh(g, op.mul(g, op.cast(g, latent, dtype), scalar(1 / 3))), scalar(3));
  x = activate(net, activation, conv2d(net, next(), x, width));
  layer++; // the activation counts as a layer, and so does each upsampling
  config.decoderBlocks.forEach((blocks, i) => {
    for (let j = 0; j < blocks; j++) x = tinyBlock(net, next(), x, config);
    const last = i === config.decoderBlocks.length - 1;
    if (!last) {
      layer++;
      const size = x.shape.slice(2).map((d) => d * upsampleFactor);
      x = resize(g, x, size);
    }
    x = conv2d(net, next(), x, last ? config.outChannels : width, { bias: last });
  });
  const y = op.sub(g, op.mul(g, x, scalar(2)), scalar(1));
  return op.cast(g, y, 'float32');
}

/** Three convolutions and an identity, then ReLU whatever the activation. */
function tinyBlock(net: Net, name: string, x: Value, { activation }: TinyVaeConfig): Value {
  const width = x.shape[1]!;
  let h = activate(net, activation, conv2d(net, `${name}.conv.0`, x, width));
  h = activate(net, activation, conv2d(net, `${name}.conv.2`, h, width));
  return op.relu(net.g, op.add(net.g, conv2d(net, `${name}.conv.4`, h, width), x));
}
