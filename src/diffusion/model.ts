import type { ClipTextConfig } from '../models/clip-config';
import type { UNetConfig } from '../models/unet-config';
import { type TinyVaeConfig, type VaeConfig, vaeFactor } from '../models/vae-config';
import type { WeightStore } from '../runtime/weights';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import { createAutoencoder } from './autoencoder';
import { createDenoiser, type DenoiserOptions, type PartAttention } from './denoiser';
import { denoiserNoise, type PredictRows } from './guidance';
import { LatentRgb } from './latent-rgb';
import { type Changes, createPersonaliser, wordsOf } from './personalise';
import type { Schedule } from './schedule';
import { createTextEncoder } from './text-encoder';
import type { Tokenizer } from './tokenizer';
import { type WatchedPredictor, watchPhrases } from './watch';

/** A checkpoint's parts: configs as parsed, weights by state-dict key. */
export interface ModelParts {
  readonly unet: { readonly config: UNetConfig; readonly weights: WeightStore };
  readonly vae: { readonly config: VaeConfig | TinyVaeConfig; readonly weights: WeightStore };
  readonly textEncoder: {
    readonly config: ClipTextConfig;
    readonly weights: WeightStore;
    /** rows [n,D] of the tokenizer's placeholders */
    readonly learned?: NdArray;
  };
  readonly tokenizer: Tokenizer;
  /** what the text encoder has hardly read, so that it can stand for anything. METHOD.md 7.6 */
  readonly rareWord: string;
  readonly schedule: Schedule;
}

/** A latent diffusion model that can encode, condition, predict and decode. One per checkpoint and precision. */
export interface DiffusionModel {
  /** the network behind `predictNoise` */
  readonly unet: ModelParts['unet'];
  /** configs and weights, for graphs beyond prediction: gradients, attention control */
  readonly parts: ModelParts;
  /** bytes that a run may take in all and in one tensor */
  readonly limits: DenoiserOptions['limits'];
  readonly dtype: 'float32' | 'float16';
  /** picture side, px */
  readonly size: number;
  /** [1,C,h,w] */
  readonly latentShape: readonly [number, number, number, number];
  readonly schedule: Schedule;
  readonly tokenizer: Tokenizer;
  readonly latentRgb: LatentRgb;
  /** picture [1,3,H,W] in [-1,1] → latent [1,C,h,w] */
  encode(picture: NdArray): Promise<NdArray>;
  decode(latent: NdArray): Promise<NdArray>;
  /** prompt → [1,L,D] */
  embed(prompt: string): Promise<NdArray>;
  /** ε̂(x, t, context) whatever the network was trained to output */
  readonly predictNoise: PredictRows;
  /** ε̂ that also watches where phrases of the prompt are attended to; null when the prompt contains none of them */
  watch(prompt: string, phrases: readonly string[]): WatchedPredictor | null;
  /** where every token of a prompt is attended to, by part of the UNet and size; x [1,C,h,w] noisy */
  attend(x: NdArray, t: number, context: NdArray): Promise<readonly PartAttention[]>;
  /**
   * The model with a concept on top, until the next call: what the concept changes is written over what the one before
   * changed, nothing is loaded or compiled again. This model itself stays as it is.
   */
  personalise(changes: Changes): Promise<PersonalModel>;
  dispose(): Promise<void>;
}

/** What a concept gives a model of its own. */
export type PersonalModel = Pick<
  DiffusionModel,
  'attend' | 'embed' | 'predictNoise' | 'tokenizer' | 'unet' | 'watch'
>;

/**
 * @param limits  bytes that a run may take in all and in one tensor
 * @throws AppError TOO_BIG, UNSUPPORTED_MODEL
 */
export function createModel(parts: ModelParts, limits: DenoiserOptions['limits']): DiffusionModel {
  const { unet, vae, tokenizer, schedule } = parts;
  const [height, width] = unet.config.sampleSize ?? [64, 64];
  if (height !== width) {
    throw new AppError(
      'UNSUPPORTED_MODEL',
      `the model works on ${height} × ${width} latents; only squares are edited`,
      {
        key: 'sample_size',
      },
    );
  }
  const tokens = tokenizer.modelMaxLength;
  const size = width * vaeFactor(vae.config);
  const denoiser = createDenoiser(unet.config, unet.weights, { height, width, tokens, limits });
  const autoencoder = createAutoencoder(vae.config, vae.weights, size);
  const text = createTextEncoder(
    parts.textEncoder.config,
    parts.textEncoder.weights,
    tokenizer,
    parts.textEncoder.learned,
  );
  const personaliser = createPersonaliser(parts, { height, width, tokens, limits });

  return {
    unet,
    parts,
    limits,
    dtype: unet.weights.dtype,
    size,
    latentShape: [1, unet.config.inChannels, height, width],
    schedule,
    tokenizer,
    latentRgb: new LatentRgb(unet.config.inChannels),
    encode: autoencoder.encode,
    decode: autoencoder.decode,
    embed: text.embed,
    predictNoise: denoiserNoise(denoiser, schedule),
    attend: denoiser.attend,
    watch: (prompt, phrases) => watchPhrases(denoiser, parts, prompt, phrases),
    async personalise(changes) {
      const own = await personaliser.apply(changes);
      const words = wordsOf(parts, changes.tokens);
      const { embed } = own.text ?? text.with(words);
      const network = own.unet ?? denoiser;
      return {
        attend: network.attend,
        embed,
        predictNoise: denoiserNoise(network, schedule),
        tokenizer: words.tokenizer,
        unet: { config: unet.config, weights: network.weights },
        watch: (prompt, phrases) =>
          watchPhrases(network, { tokenizer: words.tokenizer, schedule }, prompt, phrases),
      };
    },
    async dispose() {
      for (const part of [personaliser, denoiser, autoencoder, text]) await part.dispose();
      for (const { weights } of [unet, vae, parts.textEncoder]) weights.dispose();
    },
  };
}
