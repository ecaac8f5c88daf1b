import { guided, type PredictNoise } from '../diffusion/guidance';
import { addNoise, type Schedule } from '../diffusion/schedule';
import { drawScore, lookAt, spreadTimesteps } from '../diffusion/score';
import { type MaskState, SubjectMask } from '../diffusion/subject-mask';
import { AppError } from '../util/errors';
import { axpby, isFiniteArray, type NdArray, stack, sub } from '../util/nd-array';
import { createStepRng } from '../util/random';
import { type EditStep, emptyPromptOf, haltable, rms, untilHalted } from './edit-step';
import type { EmptyPrompt, ScoreMethod, ScoreOptions } from './methods';
import { stepSchedules } from './step-size';

/** How much tighter the outline of what comes to be is than that of what was there: its attention wanders at first. */
const GROWN_POWER = 2;

/** The networks and conditions of one edit. Latents are [1,C,h,w], already × scaling factor; contexts [1,L,D]. */
export interface EditInputs {
  readonly source: NdArray;
  /** ε̂ of the model that carries the concept (METHOD.md ε_φ) */
  readonly personalised: PredictNoise;
  /** ε̂ of the pre-trained model (ε_φ0); the same function when there is no concept */
  readonly frozen: PredictNoise;
  /** cross-attention maps [K,h',w'] of the subject at the latest evaluation of `frozen`; null: no subject is known */
  readonly subjectMaps: (() => NdArray) | null;
  /** the same of the words in the subject's place, at the latest evaluation of `personalised`; default: they are not known */
  readonly replacementMaps?: (() => NdArray) | null;
  readonly contexts: {
    /** as the model reads it that the method's reference is */
    readonly source: NdArray;
    /** the empty prompt to that model; default `empty` */
    readonly sourceEmpty?: NdArray;
    /** the empty prompt to the frozen model; default `empty` */
    readonly frozenEmpty?: NdArray;
    /** as the personalised model reads them */
    readonly target: NdArray;
    readonly empty: NdArray;
  };
  /** painted mask [1,1,h,w] in [0,1], 1 = edit; takes the place of the automatic one */
  readonly paintedMask: NdArray | null;
  readonly schedule: Schedule;
  /** what the option `emptyPrompt` takes 'auto' for; default 'own' */
  readonly emptyPrompt?: EmptyPrompt;
  readonly seed: number;
  /** where another edit of this source stood: its next step is this edit's first. Default: the source */
  readonly start?: EditStart;
}

export interface EditStart {
  /** 0-based step that was the last */
  readonly index: number;
  readonly latent: NdArray;
  /** what its automatic mask had seen; null: this edit looks for itself */
  readonly maps: MaskState | null;
}

/**
 * Edit a latent by score distillation: θ ← θ − stepSize · M · (ε̂_φ(θ_t; y_target) − reference), with the same t and ε
 * in both branches (SDS, DDS, DDS-S, DDS-SM: METHOD.md B3, B4, E1, E10). No gradient runs through a network. What a step
 * draws follows from the seed and the step's number alone, so an edit that starts from a step of another one with
 * nothing changed repeats the rest of it bit for bit. Guided from the frozen model's empty prompt, what training did to that
 * prompt does not count with weight 1 − w (Phunyaphibarn et al. 2025, arXiv:2503.20240).
 *
 * @param halted  asked before every network call; when true the generator ends with the latest whole step
 * @throws AppError NUMERIC when a prediction is not finite
 * @see Hertz et al. 2023, "Delta Denoising Score", arXiv:2304.07090
 */
export async function* scoreEdit(
  inputs: EditInputs,
  method: ScoreMethod,
  options: ScoreOptions,
  halted: () => boolean = () => false,
): AsyncGenerator<EditStep, void> {
  const { source, contexts, schedule, seed, start } = inputs;
  const { steps, guidanceScale, tMin, tMax } = options;
  const [, , h, w] = source.shape as [number, number, number, number];
  const frozen = haltable(inputs.frozen, halted);
  const personalised = haltable(inputs.personalised, halted);
  const automatic =
    method.subjectMask && !inputs.paintedMask && inputs.subjectMaps
      ? new SubjectMask(start?.maps ?? null)
      : null;
  const grown = options.maskFrom === 'both' ? (inputs.replacementMaps ?? null) : null;
  const outlineAt = (): NdArray | null => {
    const phrases = automatic?.state && inputs.subjectMaps!().shape[0]!;
    return phrases ? automatic.at(h, w, (k) => options.maskPower * (k < phrases ? 1 : GROWN_POWER)) : null;
  };
  const sourceScale = sourceGuidanceOf(options);
  const shrink = stepSchedules[options.stepSchedule];
  const from = emptyPromptOf(options.emptyPrompt, inputs.emptyPrompt);
  const ofTarget = async (x: NdArray, t: number): Promise<NdArray> => {
    const { empty, target, frozenEmpty = empty } = contexts;
    if (from === 'own' || guidanceScale === 1) {
      return guided(personalised, x, t, empty, target, guidanceScale);
    }
    const without = await frozen(x, t, frozenEmpty);
    return axpby(1 - guidanceScale, without, guidanceScale, await personalised(x, t, target));
  };
  let latent = start?.latent ?? source;

  yield* untilHalted(async function* () {
    const looks = automatic && !automatic.state ? options.maskSteps : 0;
    for (const [i, t] of spreadTimesteps(tMin, tMax, looks).entries()) {
      await frozen(lookAt(schedule, source, t, { seed, index: i }), t, contexts.source);
      automatic?.add(inputs.subjectMaps!());
    }
    for (let index = start ? start.index + 1 : 0; index < steps; index++) {
      const { t, noise } = drawScore(createStepRng(seed, index), schedule, source.shape, { tMin, tMax });
      const noised = addNoise(schedule, latent, noise, t);
      const target = await ofTarget(noised, t);
      let reference = noise;
      if (method.reference !== 'noise') {
        const predict = method.reference === 'frozen' ? frozen : personalised;
        const empty = contexts.sourceEmpty ?? contexts.empty;
        const noisedSource = addNoise(schedule, source, noise, t);
        reference = await guided(predict, noisedSource, t, empty, contexts.source, sourceScale);
        automatic?.add(grown ? stack([inputs.subjectMaps!(), grown()]) : inputs.subjectMaps!());
      }
      const mask = inputs.paintedMask ?? outlineAt();
      const direction = masked(sub(target, reference), mask);
      if (!isFiniteArray(direction)) {
        throw new AppError('NUMERIC', `step ${index + 1} of ${steps} gave numbers that are not finite`, {
          t,
        });
      }
      latent = axpby(1, latent, -options.stepSize * shrink(index, steps), direction);
      yield {
        index,
        total: steps,
        timestep: t,
        latent,
        mask,
        direction,
        directionRms: rms(direction),
        maps: automatic?.state ?? null,
      };
    }
  });
}

const sourceGuidanceOf = ({ guidance, guidanceScale, sourceGuidance }: ScoreOptions): number =>
  ({ both: guidanceScale, target: 1, separate: sourceGuidance })[guidance];

/** x [1,C,h,w] × mask [1,1,h,w]. */
function masked(x: NdArray, mask: NdArray | null): NdArray {
  if (!mask) return x;
  const plane = mask.data.length;
  return { data: x.data.map((v, i) => v * mask.data[i % plane]!), shape: x.shape };
}
