/** Configurations of reference files that carry none: what names and shapes of the weights tell. */
import type { NdArray } from '../../src/util/nd-array';

type Weights = ReadonlyMap<string, NdArray>;

/** Config of an AutoencoderTiny. */
export function inferTinyVaeConfig(weights: Weights): Record<string, unknown> {
  const half = (name: 'encoder' | 'decoder') => {
    // 'block' for a residual block, else a convolution (a gap in the numbering is an activation or an upsampling)
    const layers = new Map<number, 'block' | 'conv'>();
    for (const key of weights.keys()) {
      const [, index, rest] = key.match(new RegExp(`^${name}\\.layers\\.(\\d+)\\.(.*)$`)) ?? [];
      if (index) layers.set(Number(index), rest!.startsWith('conv.') ? 'block' : 'conv');
    }
    const kinds = [...layers].sort(([a], [b]) => a - b).map(([, kind]) => kind);
    // the blocks between one convolution and the next
    const stages = kinds.join(' ').split('conv').slice(1, -1);
    return stages.map((stage) => stage.split('block').length - 1);
  };
  const shape = (key: string): readonly number[] => weights.get(key)?.shape ?? [];
  const [encoderBlocks, decoderBlocks] = [half('encoder'), half('decoder')];
  const [encoderWidth, inChannels] = shape('encoder.layers.0.weight');
  const [decoderWidth, latentChannels] = shape('decoder.layers.0.weight');
  const last = Math.max(
    ...[...weights.keys()].flatMap((k) => Number(k.match(/^decoder\.layers\.(\d+)/)?.[1] ?? [])),
  );
  return {
    in_channels: inChannels,
    out_channels: shape(`decoder.layers.${last}.weight`)[0],
    latent_channels: latentChannels,
    num_encoder_blocks: encoderBlocks,
    num_decoder_blocks: decoderBlocks,
    encoder_block_out_channels: encoderBlocks.map(() => encoderWidth),
    decoder_block_out_channels: decoderBlocks.map(() => decoderWidth),
  };
}

const countLayers = (weights: Weights): number =>
  new Set([...weights.keys()].map((k) => k.match(/encoder\.layers\.(\d+)\./)?.[1]).filter(Boolean)).size;

/** Config of a CLIPTextModel (names with the `text_model.` prefix). */
export function inferClipTextConfig(weights: Weights): Record<string, unknown> {
  const shape = (key: string): readonly number[] => weights.get(`text_model.${key}`)?.shape ?? [];
  const [vocabSize, width] = shape('embeddings.token_embedding.weight');
  return {
    vocab_size: vocabSize,
    hidden_size: width,
    intermediate_size: shape('encoder.layers.0.mlp.fc1.weight')[0],
    num_hidden_layers: countLayers(weights),
    max_position_embeddings: shape('embeddings.position_embedding.weight')[0],
    ...(weights.has('text_projection.weight') && {
      architectures: ['CLIPTextModelWithProjection'],
      projection_dim: weights.get('text_projection.weight')!.shape[0],
    }),
  };
}

/** Config of a CLIPVisionModelWithProjection (names with the `vision_model.` prefix). */
export function inferClipVisionConfig(weights: Weights): Record<string, unknown> {
  const shape = (key: string): readonly number[] => weights.get(`vision_model.${key}`)?.shape ?? [];
  const [width, channels, patch] = shape('embeddings.patch_embedding.weight');
  const tokens = shape('embeddings.position_embedding.weight')[0] ?? 1;
  return {
    hidden_size: width,
    intermediate_size: shape('encoder.layers.0.mlp.fc1.weight')[0],
    num_hidden_layers: countLayers(weights),
    num_channels: channels,
    patch_size: patch,
    image_size: Math.sqrt(tokens - 1) * (patch ?? 0),
    ...(weights.has('visual_projection.weight')
      ? { projection_dim: weights.get('visual_projection.weight')!.shape[0] }
      : { architectures: ['CLIPVisionModel'] }),
  };
}
