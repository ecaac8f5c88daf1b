import { ConfigReader } from './config-reader';

/** The transformer that CLIP's text and vision towers share. */
export interface ClipEncoderConfig {
  readonly width: number;
  readonly heads: number;
  /** inner width of the feed-forward */
  readonly ffn: number;
  readonly layers: number;
  readonly activation: 'quick_gelu' | 'gelu';
  readonly eps: number;
}

export interface ClipTextConfig extends ClipEncoderConfig {
  readonly vocabSize: number;
  readonly maxLength: number;
  /** width of `text_projection` (CLIPTextModelWithProjection), null for CLIPTextModel */
  readonly projectionDim: number | null;
}

export interface ClipVisionConfig extends ClipEncoderConfig {
  readonly channels: number;
  /** pixels along a side of the square input */
  readonly imageSize: number;
  readonly patchSize: number;
  /** width of `visual_projection` (CLIPVisionModelWithProjection), null for CLIPVisionModel */
  readonly projectionDim: number | null;
}

function encoderConfig(
  c: ConfigReader,
  fallback: { readonly width: number; readonly heads: number; readonly ffn: number },
): ClipEncoderConfig {
  const width = c.int('hidden_size', fallback.width);
  const heads = c.int('num_attention_heads', fallback.heads);
  if (width % heads !== 0) c.refuse('num_attention_heads', `a divisor of hidden_size (${width})`);
  return {
    width,
    heads,
    ffn: c.int('intermediate_size', fallback.ffn),
    layers: c.int('num_hidden_layers', 12, 1, 256),
    activation: c.oneOf('hidden_act', ['quick_gelu', 'gelu'], 'quick_gelu'),
    eps: c.positive('layer_norm_eps', 1e-5),
  };
}

/** The class that the config was saved from, if it says so. */
function classOf(c: ConfigReader): unknown {
  const architectures = c.raw('architectures', null);
  return c.raw('_class_name', Array.isArray(architectures) ? architectures[0] : undefined);
}

/** @throws AppError UNSUPPORTED_MODEL naming the key  @see FORMATS.md 1.6 */
export function parseClipTextConfig(json: unknown): ClipTextConfig {
  const c = new ConfigReader('CLIPTextModel', json);
  return {
    ...encoderConfig(c, { width: 512, heads: 8, ffn: 2048 }),
    vocabSize: c.int('vocab_size', 49_408, 1, 1_000_000),
    maxLength: c.int('max_position_embeddings', 77),
    projectionDim: classOf(c) === 'CLIPTextModelWithProjection' ? c.int('projection_dim', 512) : null,
  };
}

/** @throws AppError UNSUPPORTED_MODEL naming the key */
export function parseClipVisionConfig(json: unknown): ClipVisionConfig {
  const c = new ConfigReader('CLIPVisionModelWithProjection', json);
  const imageSize = c.int('image_size', 224);
  const patchSize = c.int('patch_size', 32);
  if (patchSize > imageSize) c.refuse('patch_size', `at most image_size (${imageSize})`);
  return {
    ...encoderConfig(c, { width: 768, heads: 12, ffn: 3072 }),
    channels: c.int('num_channels', 3),
    imageSize,
    patchSize,
    projectionDim: classOf(c) === 'CLIPVisionModel' ? null : c.int('projection_dim', 512),
  };
}
