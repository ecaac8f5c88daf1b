import { parseClipTextConfig, parseClipVisionConfig } from './clip-config';
import { clipText, TOKEN_TABLE } from './clip-text';
import { clipVision } from './clip-vision';
import { tinyVaeDecode, tinyVaeEncode } from './tiny-vae';
import { unet, unetInputs } from './unet';
import { parseUNetConfig } from './unet-config';
import { vaeDecode, vaeEncode } from './vae';
import { parseTinyVaeConfig, parseVaeConfig, vaeFactor } from './vae-config';
import { recordWeights, type WeightTable } from './weights';

/** One kind of network: how to read its config, what weights it has, how files name them. */
export interface Component<Config> {
  readonly parse: (json: unknown) => Config;
  /** every weight of the complete model */
  readonly weights: (config: Config) => WeightTable;
  /** a file's key → our name (the current diffusers state-dict key); null: a key to ignore */
  readonly canonical: (key: string) => string | null;
}

const component = <Config>(row: Component<Config>): Component<Config> => row;

/** VAE attention as diffusers names it now ← older diffusers, LDM. */
const VAE_ATTENTION: Readonly<Record<string, string>> = {
  query: 'to_q',
  key: 'to_k',
  value: 'to_v',
  proj_attn: 'to_out.0',
  q: 'to_q',
  k: 'to_k',
  v: 'to_v',
  proj_out: 'to_out.0',
  norm: 'group_norm',
};

/** Buffers of older transformers versions, recomputed by everyone. */
const isBuffer = (key: string): boolean => key.endsWith('.position_ids');

const withPrefix = (prefix: string, parts: RegExp) => (key: string) => {
  if (isBuffer(key)) return null;
  return parts.test(key) ? `${prefix}.${key}` : key;
};

/** By class name, as in model_index.json and `_class_name`. */
export const COMPONENTS = {
  UNet2DConditionModel: component({
    parse: parseUNetConfig,
    weights: (config) =>
      recordWeights((g, params) =>
        unet(g, params, unetInputs(g, config, { batch: 1, height: 16, width: 16, tokens: 1 }), config),
      ),
    canonical: (key) => key,
  }),
  AutoencoderKL: component({
    parse: parseVaeConfig,
    weights: (config) =>
      recordWeights((g, params) => {
        const side = 2 * vaeFactor(config);
        vaeEncode(g, params, g.feed('image', [1, config.inChannels, side, side]), config);
        vaeDecode(g, params, g.feed('z', [1, config.latentChannels, 2, 2]), config);
      }),
    canonical: (key) =>
      key.replace(
        /(\.attentions\.\d+\.)(query|key|value|proj_attn|q|k|v|proj_out|norm)(?=\.(weight|bias)$)/,
        (_, path: string, name: string) => path + VAE_ATTENTION[name],
      ),
  }),
  AutoencoderTiny: component({
    parse: parseTinyVaeConfig,
    weights: (config) =>
      recordWeights((g, params) => {
        const side = 2 ** config.encoderBlocks.length;
        tinyVaeEncode(g, params, g.feed('image', [1, config.inChannels, side, side]), config);
        tinyVaeDecode(g, params, g.feed('latent', [1, config.latentChannels, 2, 2]), config);
      }),
    canonical: (key) => key,
  }),
  CLIPTextModel: component({
    parse: parseClipTextConfig,
    weights: (config) =>
      recordWeights((g, params) => {
        params(TOKEN_TABLE, [config.vocabSize, config.width]);
        const pooling = g.feed('pooling', [1, 1, 2]);
        clipText(g, params, { embeddings: g.feed('embeddings', [1, 2, config.width]), pooling }, config);
      }),
    // transformers 5 writes the same names without the prefix
    canonical: withPrefix('text_model', /^(embeddings|encoder|final_layer_norm)\./),
  }),
  CLIPVisionModelWithProjection: component({
    parse: parseClipVisionConfig,
    weights: (config) =>
      recordWeights((g, params) => {
        const { channels, imageSize } = config;
        clipVision(g, params, g.feed('pixels', [1, channels, imageSize, imageSize]), config);
      }),
    canonical: withPrefix('vision_model', /^(embeddings|encoder|pre_layrnorm|post_layernorm)\./),
  }),
};

export type ComponentName = keyof typeof COMPONENTS;

export type ConfigOf<Name extends ComponentName> = ReturnType<(typeof COMPONENTS)[Name]['parse']>;
