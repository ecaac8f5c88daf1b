import { COMPONENTS } from '../src/models/components';
import { timestepEmbedding } from '../src/models/embeddings';
import { fromInputs } from '../src/models/params';
import { unet, unetInputs } from '../src/models/unet';
import { Graph, type Shape, type Value } from '../src/onnx/graph';
import type { WeightSource } from '../src/runtime/weights';
import { type NdArray, sizeOf } from '../src/util/nd-array';

/** As public/models/starter/unet/config.json has it (0.9 GFLOP per row on 16 × 16 latents). */
const STARTER = {
  sample_size: 16,
  in_channels: 16,
  out_channels: 16,
  act_fn: 'silu',
  flip_sin_to_cos: true,
  freq_shift: 0,
  downsample_padding: 1,
  mid_block_scale_factor: 1,
  mid_block_type: 'UNetMidBlock2DCrossAttn',
  norm_eps: 1e-5,
  norm_num_groups: 16,
  layers_per_block: 1,
  attention_head_dim: 4,
  cross_attention_dim: 128,
  block_out_channels: [64, 128],
  down_block_types: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'],
  up_block_types: ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
};

/** Small enough for the software WebGPU adapter. */
const TINY = {
  ...STARTER,
  sample_size: 8,
  block_out_channels: [16, 32],
  norm_num_groups: 8,
  attention_head_dim: 2,
};

export const UNETS = { starter: STARTER, tiny: TINY };
export type UNetName = keyof typeof UNETS;

const TOKENS = 32;

export interface BenchNetwork {
  readonly graph: Graph;
  readonly outputs: { readonly output: Value };
  readonly feeds: Readonly<Record<string, NdArray>>;
  readonly source: WeightSource;
}

/** A UNet with weights that keep activations near unit size, so that no kernel meets denormals or infinities. */
export function benchUNet(name: UNetName, batch: number): BenchNetwork {
  const { parse, weights } = COMPONENTS.UNet2DConditionModel;
  const config = parse(UNETS[name]);
  const [height, width] = config.sampleSize as [number, number];
  const graph = new Graph();
  const inputs = unetInputs(graph, config, { batch, height, width, tokens: TOKENS });
  const output = unet(graph, fromInputs(graph), inputs, config);
  const shapes = weights(config);
  return {
    graph,
    outputs: { output },
    feeds: {
      sample: noise([batch, config.inChannels, height, width], 1, 1),
      time_embedding: timestepEmbedding(Array(batch).fill(500), config.down[0]!.channels, config),
      encoder_hidden_states: noise([batch, TOKENS, config.crossAttentionDim], 1, 2),
    },
    source: { shapes, load: async (key) => weight(key, shapes.get(key)!) },
  };
}

export function weight(key: string, shape: Shape): NdArray {
  if (/norm.*\.weight$/.test(key)) return { data: new Float32Array(sizeOf(shape)).fill(1), shape };
  const fanIn = sizeOf(shape.slice(1));
  return noise(shape, shape.length === 1 ? 0.02 : 1 / Math.sqrt(fanIn), key.length);
}

/** Uniform with the given standard deviation (mulberry32). */
export function noise(shape: Shape, deviation: number, seed: number): NdArray {
  let state = seed;
  const data = Float32Array.from({ length: sizeOf(shape) }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1) * deviation * Math.sqrt(3);
  });
  return { data, shape };
}
