import { guided, type PredictNoise } from '../diffusion/guidance';
import { addNoise, type Schedule } from '../diffusion/schedule';
import { AppError } from '../util/errors';
import { axpby, isFiniteArray, type NdArray, sizeOf, sub } from '../util/nd-array';
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
  /** cross-attention map [h',w'] of the subject in the source prompt at (x_t, t), by the frozen model */
  readonly attend: ((x: NdArray, t: number) => Promise<NdArray>) | null;
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
 * @throws AppError NUMERIC when a prediction is not finite
 * @see Hertz et al. 2023, "Delta Denoising Score", arXiv:2304.07090
 */
export async function* scoreEdit(
  inputs: EditInputs,
  method: EditMethod,
  options: EditOptions,
): AsyncGenerator<EditStep, NdArray> {
  const { source, contexts, schedule, rng } = inputs;
  const { steps, guidanceScale } = options;
  const [, , h, w] = source.shape as [number, number, number, number];
  const automatic = method.subjectMask && !inputs.paintedMask && inputs.attend ? new SubjectMask() : null;
  let latent = source;

  if (automatic) {
    for (let i = 0; i < options.maskSteps; i++) {
      const t = Math.floor(options.tMin + ((i + 0.5) / options.maskSteps) * (options.tMax - options.tMin));
      automatic.add(await inputs.attend!(addNoise(schedule, source, noiseLike(source, rng), t), t));
    }
  }
  for (let index = 0; index < steps; index++) {
    const t = rng.randint(options.tMin, options.tMax, 1)[0]!;
    const noise = noiseLike(source, rng);
    const noised = addNoise(schedule, latent, noise, t);
    const target = await guided(inputs.personalised, noised, t, contexts.empty, contexts.target, guidanceScale);
    let reference = noise;
    if (method.reference !== 'noise') {
      const noisedSource = addNoise(schedule, source, noise, t);
      const predict = method.reference === 'frozen' ? inputs.frozen : inputs.personalised;
      reference = await guided(predict, noisedSource, t, contexts.empty, contexts.source, guidanceScale);
      if (automatic) automatic.add(await inputs.attend!(noisedSource, t));
    }
    const mask = inputs.paintedMask ?? (automatic?.empty === false ? automatic.at(h, w, options.maskPower) : null);
    const direction = masked(sub(target, reference), mask);
    if (!isFiniteArray(direction)) {
      throw new AppError('NUMERIC', `step ${index + 1} of ${steps} gave numbers that are not finite`, { index, t });
    }
    latent = axpby(1, latent, -options.stepSize, direction);
    const directionRms = Math.sqrt(direction.data.reduce((s, v) => s + v * v, 0) / direction.data.length);
    yield { index, total: steps, timestep: t, latent, mask, directionRms };
  }
  return latent;
}

const noiseLike = (x: NdArray, rng: TorchRng): NdArray => ({ data: rng.randn(sizeOf(x.shape)), shape: x.shape });

/** x [1,C,h,w] × mask [1,1,h,w]. */
function masked(x: NdArray, mask: NdArray | null): NdArray {
  if (!mask) return x;
  const plane = mask.data.length;
  return { data: x.data.map((v, i) => v * mask.data[i % plane]!), shape: x.shape };
}
