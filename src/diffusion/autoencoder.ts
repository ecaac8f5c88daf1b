import { fromInputs } from '../models/params';
import { tinyVaeDecode, tinyVaeEncode } from '../models/tiny-vae';
import { vaeDecode, vaeEncode } from '../models/vae';
import { type TinyVaeConfig, type VaeConfig, vaeFactor } from '../models/vae-config';
import { Graph, type Value } from '../onnx/graph';
import * as op from '../onnx/ops';
import { compile } from '../runtime/session';
import type { WeightStore } from '../runtime/weights';
import { memoizePromise } from '../util/async';
import { type NdArray, scale, zeros } from '../util/nd-array';

/** Pictures [1,3,H,W] in [-1,1] ⇄ latents [1,C,h,w] at the UNet's scale. */
export interface Autoencoder {
  /** the posterior's mean: what editing and inversion start from */
  encode(image: NdArray): Promise<NdArray>;
  /** mean and standard deviation of the posterior, both [1,C,h,w] at the UNet's scale: what training draws latents from */
  posterior(image: NdArray): Promise<Posterior>;
  decode(latent: NdArray): Promise<NdArray>;
  dispose(): Promise<void>;
}

export interface Posterior {
  readonly mean: NdArray;
  /** 0 for an autoencoder without a posterior (TAESD) */
  readonly std: NdArray;
}

/** @param side  picture side in px, static in the graphs */
export function createAutoencoder(
  config: VaeConfig | TinyVaeConfig,
  weights: WeightStore,
  side: number,
): Autoencoder {
  const [image, latent] = imageAndLatent(config, side);
  const { dtype } = weights;
  const { scalingFactor, shiftFactor } = config;
  const build = memoizePromise((direction: 'encode' | 'decode') => {
    const g = new Graph();
    const params = fromInputs(g, dtype);
    const input = g.feed('input', direction === 'encode' ? image : latent);
    const options = { dtype };
    const outputs: Record<string, Value> = {};
    if (direction === 'encode') {
      if ('channels' in config) {
        const { mean, logvar } = vaeEncode(g, params, input, config, options);
        outputs.output = mean;
        outputs.std = op.exp(g, op.mul(g, logvar, op.scalar(g, 0.5)));
      } else outputs.output = tinyVaeEncode(g, params, input, config, options);
    } else {
      outputs.output =
        'channels' in config
          ? vaeDecode(g, params, input, config, options)
          : tinyVaeDecode(g, params, input, config, options);
    }
    return compile(g, outputs, weights, { label: `vae ${direction}` });
  });
  const run = async (direction: 'encode' | 'decode', input: NdArray): Promise<Record<string, NdArray>> =>
    (await build(direction)).run({ input });
  const scaled = (z: NdArray): NdArray => ({
    ...z,
    data: z.data.map((v) => (v - shiftFactor) * scalingFactor),
  });
  return {
    async encode(picture) {
      return scaled((await run('encode', picture)).output!);
    },
    async posterior(picture) {
      const { output, std } = await run('encode', picture);
      return { mean: scaled(output!), std: std ? scale(scalingFactor, std) : zeros(output!.shape) };
    },
    async decode(x) {
      return (await run('decode', { ...x, data: x.data.map((v) => v / scalingFactor + shiftFactor) }))
        .output!;
    },
    async dispose() {
      for (const program of await build.loaded()) await program.dispose();
    },
  };
}

function imageAndLatent(config: VaeConfig | TinyVaeConfig, side: number): [number[], number[]] {
  const latentSide = side / vaeFactor(config);
  return [
    [1, config.inChannels, side, side],
    [1, config.latentChannels, latentSide, latentSide],
  ];
}
