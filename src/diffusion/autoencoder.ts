import { fromInputs } from '../models/params';
import { tinyVaeDecode, tinyVaeEncode } from '../models/tiny-vae';
import { vaeDecode, vaeEncode } from '../models/vae';
import { type TinyVaeConfig, type VaeConfig, vaeFactor } from '../models/vae-config';
import { Graph, type Value } from '../onnx/graph';
import { compile, type Program } from '../runtime/session';
import type { WeightStore } from '../runtime/weights';
import { memoizePromise } from '../util/async';
import type { NdArray } from '../util/nd-array';

/** Pictures [1,3,H,W] in [-1,1] ⇄ latents [1,C,h,w] at the UNet's scale. */
export interface Autoencoder {
  /** the posterior's mean: what editing and inversion start from */
  encode(image: NdArray): Promise<NdArray>;
  decode(latent: NdArray): Promise<NdArray>;
  dispose(): Promise<void>;
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
    let output: Value;
    if (direction === 'encode') {
      output =
        'channels' in config
          ? vaeEncode(g, params, input, config, { dtype }).mean
          : tinyVaeEncode(g, params, input, config, { dtype });
    } else {
      output =
        'channels' in config
          ? vaeDecode(g, params, input, config, { dtype })
          : tinyVaeDecode(g, params, input, config, { dtype });
    }
    return compile(g, { output }, weights, { label: `vae ${direction}` });
  });
  const built: Promise<Program>[] = [];
  const run = async (direction: 'encode' | 'decode', input: NdArray): Promise<NdArray> => {
    const program = build(direction);
    if (!built.includes(program)) built.push(program);
    return (await (await program).run({ input })).output!;
  };
  return {
    async encode(picture) {
      const z = await run('encode', picture);
      return { ...z, data: z.data.map((v) => (v - shiftFactor) * scalingFactor) };
    },
    decode: (x) => run('decode', { ...x, data: x.data.map((v) => v / scalingFactor + shiftFactor) }),
    async dispose() {
      for (const program of built) await (await program).dispose();
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
