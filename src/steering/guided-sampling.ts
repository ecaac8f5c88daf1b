/** Spatial feature guided sampling: pictures with the concept's look in the photo's layout. */
import { createDenoiser } from '../diffusion/denoiser';
import { denoiserNoise, guided, type PredictNoise } from '../diffusion/guidance';
import { invertDdim } from '../diffusion/invert';
import type { DiffusionModel, ModelParts } from '../diffusion/model';
import { ddimStep } from '../diffusion/samplers';
import { levelAt, predictions, type Schedule } from '../diffusion/schedule';
import { timestepGrid } from '../diffusion/timesteps';
import type { Arrays } from '../runtime/session';
import { AppError } from '../util/errors';
import { axpby, isFiniteArray, type NdArray, ndArray, sizeOf } from '../util/nd-array';
import { createStepRng, restoreTorchRng, type TorchRng, type TorchRngState } from '../util/random';
import { featureNetwork, type Guide, guideNetwork } from './guide-network';
import type { SteerOptions } from './options';

/** Keeps the samples' draws apart from those of training, which start from the same seed. */
const SAMPLE_SEED = 0x5a3b;

export interface SamplingInputs {
  /** photo [1,C,h,w], already × scaling factor */
  readonly source: NdArray;
  /** text states [1,L,D]: the source prompt's of the frozen model, the others of the personalised one */
  readonly contexts: { readonly source: NdArray; readonly target: NdArray; readonly empty: NdArray };
  readonly seed: number;
  /** `surroundings` [1,1,h,w], for samples with the photo's own background */
  readonly region?: NdArray | null;
  /** of the same inputs and options; default: from the start */
  readonly from?: SamplingState;
  /** looked at before every network call */
  readonly signal?: AbortSignal;
}

/** Sampling between two of its steps; with its inputs it decides all that follows. Plain data. */
export interface SamplingState {
  /** steps done, at least one */
  readonly steps: number;
  /** the photo [1,C,h,w] and, where sampling starts from it, what inversion made of it, level by level */
  readonly inverted: readonly NdArray[];
  /** latents [1,C,h,w] after those steps, and the generators that their next draws come from */
  readonly samples: readonly { readonly x: NdArray; readonly rng: TorchRngState }[];
}

export type SamplingStep =
  | { readonly stage: 'invert'; readonly index: number; readonly total: number }
  | {
      readonly stage: 'guide';
      readonly index: number;
      readonly total: number;
      /** estimates of the clean samples, for previews; after the last step the samples */
      readonly samples: readonly NdArray[];
      /** mean L_sp over the samples; null where nothing guides */
      readonly loss: number | null;
      readonly state: SamplingState;
    };

/**
 * DDIM inversion of the photo with the frozen model and source prompt (no classifier-free guidance), then denoising
 * with the personalised model and target prompt, held to the photo's layout by the gradient of PatchNCE; if asked, around
 * the subject to the inverted photo of the same level (ours).
 *
 * @param model,personalised  frozen model φ0, and φ with the weights it starts from
 * @returns  latents [1,C,h,w]
 * @throws AppError NUMERIC, TOO_BIG
 * @see METHOD.md 3.5
 */
export async function* guidedSamples(
  model: DiffusionModel,
  personalised: ModelParts,
  inputs: SamplingInputs,
  options: SteerOptions,
): AsyncGenerator<SamplingStep, readonly NdArray[]> {
  const { source, contexts, seed, from, signal, region } = inputs;
  const { schedule, limits, parts: base } = model;
  const [, , height, width] = source.shape as [number, number, number, number];
  const size = { height, width, tokens: base.tokenizer.modelMaxLength, limits };
  const disposables: { dispose(): Promise<void> }[] = [];
  const track = <T extends { dispose(): Promise<void> }>(part: T): T => {
    disposables.push(part);
    return part;
  };
  const watched = (predict: PredictNoise): PredictNoise =>
    Object.assign(
      async (...call: Parameters<PredictNoise>) => {
        signal?.throwIfAborted();
        return predict(...call);
      },
      { batched: predict.batched ?? false },
    );
  try {
    const frozen = watched(model.predictNoise);
    const { config, weights } = personalised.unet;
    const predict =
      weights === base.unet.weights
        ? frozen
        : watched(denoiserNoise(track(createDenoiser(config, weights, size)), schedule));
    const timesteps = timestepGrid(schedule, options.ddimSteps);
    // inverted[i] is the photo at the level of the i-th last timestep; before it, the photo itself
    const inverted = [...(from?.inverted ?? [source])];
    if (!from && options.sampling !== 'noise') {
      const denoise = (x: NdArray, t: number) => frozen(x, t, contexts.source);
      const walk = invertDdim(denoise, source, schedule, {
        steps: options.ddimSteps,
        predictionType: 'epsilon',
      });
      for await (const { x, index, total } of walk) {
        inverted.push(x);
        yield { stage: 'invert', index, total };
      }
    }
    const background = options.background === 'photo' && options.sampling !== 'noise' ? region : null;
    const begun = from?.steps ?? 0;
    const guides = options.sampling === 'guided' && options.strength > 0 && begun < timesteps.length;
    const features = guides ? track(await featureNetwork(base, { ...size, ...options })) : null;
    const guide = guides ? track(await guideNetwork(personalised, { ...size, ...options })) : null;
    const samples = Array.from({ length: options.samples }, (_, i) => {
      const before = from?.samples[i];
      if (before) return { x: before.x, rng: restoreTorchRng(before.rng) };
      const rng = createStepRng(seed ^ SAMPLE_SEED, i);
      const fresh = (): NdArray => ndArray(rng.randn(sizeOf(source.shape)), source.shape);
      return { x: options.sampling === 'noise' ? fresh() : inverted.at(-1)!, rng };
    });

    for (const [index, t] of timesteps.entries()) {
      if (index < begun) continue;
      const share = index / timesteps.length;
      const on = guide && features && share >= options.guideFrom && share < options.guideTo;
      const level = inverted.length - 1 - index;
      const shown = inverted[options.features === 'level' ? level : level - 1];
      signal?.throwIfAborted();
      const layout = on ? await features.features(shown!, t, contexts.source) : null;
      const estimates: NdArray[] = [];
      const losses: number[] = [];
      for (const sample of samples) {
        const { x, rng } = sample;
        let eps: NdArray;
        signal?.throwIfAborted();
        if (guide && layout) {
          const step = await guidedNoise(predict, { guide, x, t, contexts, layout, rng }, schedule, options);
          eps = step.eps;
          losses.push(step.loss);
        } else eps = await guided(predict, x, t, contexts.empty, contexts.target, options.samplingGuidance);
        if (!isFiniteArray(eps))
          throw new AppError('NUMERIC', `sampling at timestep ${t} gave numbers that are not finite`);
        const { x0 } = predictions('epsilon', eps, x, levelAt(schedule, t));
        sample.x = ddimStep(schedule, { x0, eps }, t, { steps: options.ddimSteps, eta: options.eta, rng });
        if (background) sample.x = within(background, inverted[level - 1]!, sample.x);
        estimates.push(x0);
      }
      const loss = losses.length > 0 ? losses.reduce((a, b) => a + b) / losses.length : null;
      const last = index === timesteps.length - 1;
      const shownNow = last ? samples.map(({ x }) => x) : estimates;
      const state = {
        steps: index + 1,
        inverted,
        samples: samples.map(({ x, rng }) => ({ x, rng: rng.state() })),
      };
      yield { stage: 'guide', index, total: timesteps.length, samples: shownNow, loss, state };
    }
    return samples.map(({ x }) => x);
  } finally {
    for (const part of disposables) await part.dispose();
  }
}

interface GuidedCall {
  readonly guide: Awaited<ReturnType<typeof guideNetwork>>;
  readonly x: NdArray;
  readonly t: number;
  readonly contexts: SamplingInputs['contexts'];
  readonly layout: Arrays;
  readonly rng: TorchRng;
}

/** ε̃ of (E9): guided ε̂ plus the normalised gradient. The empty prompt's branch takes no part in the gradient. */
async function guidedNoise(
  predict: PredictNoise,
  { guide, x, t, contexts, layout, rng }: GuidedCall,
  schedule: Schedule,
  options: SteerOptions,
): Promise<{ eps: NdArray; loss: number }> {
  const { output, gradient, loss }: Guide = await guide.guide(x, t, contexts.target, layout, rng);
  const conditional = predictions(schedule.predictionType, output, x, levelAt(schedule, t)).eps;
  const w = options.samplingGuidance;
  const eps = w === 1 ? conditional : axpby(1 - w, await predict(x, t, contexts.empty), w, conditional);
  return { eps: axpby(1, eps, correction(schedule, eps, gradient, t, options), gradient), loss };
}

/**
 * Factor of the gradient in ε̃ = ε̂ + factor·g.
 *
 * 'noise' is (E9) with s_sp = κ·‖ε̂‖/(σ_t·‖g‖), i.e. κ·‖ε̂‖/‖g‖. 'latent' asks for x_{t-1} − κ·σ_t·‖ε̂‖/‖g‖·g; a DDIM step
 * moves x_{t-1} by (σ' − α'σ/α) per unit of ε̂, so it is divided by that.
 *
 * @see METHOD.md E9, 3.9, A7
 */
export function correction(
  schedule: Schedule,
  eps: NdArray,
  gradient: NdArray,
  t: number,
  { strength, correction: kind, ddimSteps }: Pick<SteerOptions, 'strength' | 'correction' | 'ddimSteps'>,
): number {
  const length = norm(gradient);
  if (length === 0) return 0;
  const factor = (strength * norm(eps)) / length;
  if (kind === 'noise') return factor;
  const [here, next] = [t, t - Math.floor(schedule.numTrainTimesteps / ddimSteps)].map((at) =>
    levelAt(schedule, at),
  );
  const gain = (next!.alpha * here!.sigma) / here!.alpha - next!.sigma;
  return (factor * here!.sigma) / gain;
}

const norm = ({ data }: NdArray): number => Math.sqrt(data.reduce((sum, v) => sum + v * v, 0));

/** a where the map is 1, b where it is 0. @param map  [1,1,h,w] in [0,1] */
function within(map: NdArray, a: NdArray, b: NdArray): NdArray {
  const plane = map.data.length;
  return { data: b.data.map((v, i) => v + map.data[i % plane]! * (a.data[i]! - v)), shape: b.shape };
}
