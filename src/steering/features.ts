/** Features that show a picture's layout: outputs of the decoder's self-attention. */
import type { Tap } from '../models/params';
import type { Value } from '../onnx/graph';
import type { SteerOptions } from './options';

/** One site: the output of an attn1 of up_blocks, after its projection and before the residual sum. */
export interface FeatureSite {
  readonly name: string;
  /** [1,N,C] */
  readonly tokens: Value;
  /** of the N places */
  readonly height: number;
  readonly width: number;
}

export interface FeatureTap {
  readonly tap: Tap;
  /** the chosen sites, once the network is built */
  sites(): readonly FeatureSite[];
}

/**
 * Watch the up-block attn1 outputs of a UNet on latents [1,C,h,w].
 *
 * @see METHOD.md 3.5, A8; Nam et al. 2024, "Contrastive Denoising Score", arXiv:2311.18608
 */
export function featureTap(height: number, width: number, layers: SteerOptions['layers']): FeatureTap {
  const all: FeatureSite[] = [];
  return {
    tap(name, tokens) {
      if (/^up_blocks\..*attn1\.out$/.test(name)) {
        const side = Math.sqrt((height * width) / tokens.shape[1]!);
        all.push({ name, tokens, height: Math.ceil(height / side), width: Math.ceil(width / side) });
      }
      return tokens;
    },
    sites() {
      const places = all.map((site) => site.tokens.shape[1]!);
      const wanted = { all: null, coarse: Math.min(...places), fine: Math.max(...places) }[layers];
      return all.filter(({ tokens }) => wanted === null || tokens.shape[1] === wanted);
    },
  };
}
