import { guided, type PredictNoise } from '../diffusion/guidance';
import { addNoise, type Schedule } from '../diffusion/schedule';
import { drawScore } from '../diffusion/score';
import { AppError } from '../util/errors';
import { axpby, isFiniteArray, type NdArray, sub } from '../util/nd-array';
import type { TorchRng } from '../util/random';
import { SubjectMask } from './mask';
import type { EditMethod, EditOptions } from './methods';

/** The networks and conditions of one edit. Latents are [1,C,h,w], already × scaling factor; contexts [1,L,D]. */
export interface EditInputs {
  readonly source: NdArray;
  /** ε̂ of the model that carries the concept (METHOD.md ε_φ) */
  readonly personalised: PredictNoise;
  /** ε̂ of the pre-trained model (ε_φ0); the same function when there is no concept */
  readonly frozen: PredictNoise;
  /** cross-attention map [h',w'] of the subject at the latest evaluation of `frozen`; null: no subject is known */
  readonly subjectMap: (() => NdArray) | null;
  readonly contexts: { readonly source: NdArray; readonly target: NdArray; readonly empty: NdArray };
  /** painted mask [1,1,h,w] in [0,1], 1 = edit; takes the place of the automatic one */
  readonly paintedMask: NdArray | null;
  readonly schedule: Schedule;
  readonly rng: TorchRng;
}

export interface EditStep {
  /** 0-based */
  readonly index: number;
  readonly total: number;
  readonly timestep: number;
  /** edited latent after the step */
  readonly latent: NdArray;
  /** mask in use [1,1,h,w]; null = everywhere */
  readonly mask: NdArray | null;
  /** root mean square of the masked direction, in units of predicted noise */
  readonly directionRms: number;
}

/**
 * Edit a latent by score distillation: θ ← θ − stepSize · M · (ε̂_φ(θ_t; y_target) − reference), with the same t and ε
 * in both branches (SDS, DDS, DDS-S, DDS-SM: METHOD.md B3, B4, E1, E10). No gradient runs through a network.
 *
 * @param halted  asked before every network call; when true the generator ends with the latest whole step
 * @throws AppError NUMERIC when a prediction is not finite
 * @see Hertz et al. 2023, "Delta Denoising Score", arXiv:2304.07090
 */
export async function* scoreEdit(
  inputs: EditInputs,
  method: EditMethod,
  options: EditOptions,
  halted: () => boolean = () => false,
): AsyncGenerator<EditStep, void> {
  const { source, contexts, schedule, rng } = inputs;
  const { steps, guidanceScale, tMin, tMax } = options;
  const [, , h, w] = source.shape as [number, number, number, number];
  const frozen = haltable(inputs.frozen, halted);
  const personalised = haltable(inputs.personalised, halted);
  const automatic = method.subjectMask && !inputs.paintedMask && inputs.subjectMap ? new SubjectMask() : null;
  const observe = (): void => automatic?.add(inputs.subjectMap!());
  let latent = source;

  try {
    for (let i = 0; automatic && i < options.maskSteps; i++) {
      // every part of the range, so that the mean is that of the draws to come
      const part = (tMax - tMin) / options.maskSteps;
      const t = Math.floor(tMin + (i + 0.5) * part);
      const { noise } = drawScore(rng, schedule, source.shape, { tMin: t, tMax: t + 1 });
      await frozen(addNoise(schedule, source, noise, t), t, contexts.source);
      observe();
    }
    for (let index = 0; index < steps; index++) {
      const { t, noise } = drawScore(rng, schedule, source.shape, { tMin, tMax });
      const noised = addNoise(schedule, latent, noise, t);
      const target = await guided(personalised, noised, t, contexts.empty, contexts.target, guidanceScale);
      let reference = noise;
      if (method.reference !== 'noise') {
        const predict = method.reference === 'frozen' ? frozen : personalised;
        const noisedSource = addNoise(schedule, source, noise, t);
        reference = await guided(predict, noisedSource, t, contexts.empty, contexts.source, guidanceScale);
        observe();
      }
      const mask = inputs.paintedMask ?? (automatic ? automatic.at(h, w, options.maskPower) : null);
      const direction = masked(sub(target, reference), mask);
      if (!isFiniteArray(direction)) {
        throw new AppError('NUMERIC', `step ${index + 1} of ${steps} gave numbers that are not finite`, {
          t,
        });
      }
      latent = axpby(1, latent, -options.stepSize, direction);
      yield { index, total: steps, timestep: t, latent, mask, directionRms: rms(direction) };
    }
  } catch (error) {
    if (error !== HALTED) throw error;
  }
}

const HALTED = Symbol('halted');

/** The same predictor, which throws HALTED instead of starting a call once that is asked for. */
function haltable(predict: PredictNoise, halted: () => boolean): PredictNoise {
  const guarded = async (...args: Parameters<PredictNoise>): Promise<NdArray> => {
    if (halted()) throw HALTED;
    return predict(...args);
  };
  return Object.assign(guarded, { batched: predict.batched ?? false });
}

const rms = ({ data }: NdArray): number => Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);

/** x [1,C,h,w] × mask [1,1,h,w]. */
function masked(x: NdArray, mask: NdArray | null): NdArray {
  if (!mask) return x;
  const plane = mask.data.length;
  return { data: x.data.map((v, i) => v * mask.data[i % plane]!), shape: x.shape };
}
