/** Prompt-to-Prompt on a real picture: invert it, sample it again beside its edit, and share attention between the two. */
import type { PredictNoise } from '../diffusion/guidance';
import { invertDdim } from '../diffusion/invert';
import type { ModelParts } from '../diffusion/model';
import { ddimCoefficients, levelAt, predictions, type Schedule } from '../diffusion/schedule';
import { timestepGrid } from '../diffusion/timesteps';
import type { Tokenizer } from '../diffusion/tokenizer';
import { AppError } from '../util/errors';
import { axpby, isFiniteArray, type NdArray, rows, stack, sub, zeros } from '../util/nd-array';
import { type Alignment, refineAlignment, replaceAlignment } from './alignment';
import { type Control, controlledUNet } from './attention-control';
import { type EditStep, emptyPromptOf, haltable, rms, untilHalted } from './edit-step';
import { LocalBlend } from './local-blend';
import type { AttentionOptions, EmptyPrompt } from './methods';
import { nullTextInversion } from './null-text';

/** One model for all of it: inversion, reconstruction and edit would not fit together otherwise. */
export interface AttentionEditInputs {
  /** clean latent [1,C,h,w] */
  readonly source: NdArray;
  readonly unet: ModelParts['unet'];
  /** ε̂ of that network */
  readonly predictNoise: PredictNoise;
  /** ε̂ of the pre-trained model, which only an empty prompt may be asked of; default `predictNoise` */
  readonly frozen?: PredictNoise;
  /** what the option `emptyPrompt` takes 'auto' for; default 'own' */
  readonly emptyPrompt?: EmptyPrompt;
  readonly tokenizer: Tokenizer;
  readonly prompts: { readonly source: string; readonly target: string };
  /** [1,L,D], of the prompts and of the empty one; that one also as the frozen model reads it, default `empty` */
  readonly contexts: {
    readonly source: NdArray;
    readonly target: NdArray;
    readonly empty: NdArray;
    readonly frozenEmpty?: NdArray;
  };
  /** phrases of the source prompt that are replaced; empty: the words that differ */
  readonly subject: readonly string[];
  /** painted mask [1,1,h,w] in [0,1], 1 = edit; takes the place of the automatic one */
  readonly paintedMask: NdArray | null;
  readonly schedule: Schedule;
  readonly limits: { readonly total?: number; readonly tensor?: number };
}

/** What comes before the first step takes a while. */
export interface EditProgress {
  readonly stage: 'invert' | 'null-text';
  /** in [0,1] */
  readonly fraction: number;
}

/** How the source's chain comes back to the source, and what the target's is guided from. */
export type Retrace =
  /** guided as the target is, from an empty prompt [1,L,D] for every step */
  | { readonly by: 'null-text'; readonly predict: PredictNoise; emptyAt(index: number): NdArray }
  /** not guided, set back to where inversion passed: clean latent [1,C,h,w] first, noise last (steps + 1 in all) */
  | {
      readonly by: 'direct';
      readonly predict: PredictNoise;
      readonly empty: NdArray;
      readonly trajectory: readonly NdArray[];
    };

/**
 * DDIM inversion without guidance, then two DDIM chains in one batch: the source's and the target's, whose attention is the
 * source's within its windows. Null-text inversion corrects the empty prompts that both are guided from until the source's
 * comes back; direct inversion sets the source's back at every step and guides the target's alone, from whatever suits it.
 *
 * @param halted  asked before every network call; when true the generator ends with the latest whole step
 * @throws AppError BAD_REQUEST when prompts cannot be aligned as asked; TOO_BIG; NUMERIC
 * @see Hertz et al. 2022, arXiv:2208.01626; Mokady et al. 2023, arXiv:2211.09794; Ju et al. 2023, "PnP Inversion",
 * arXiv:2310.01506; METHOD.md 7.8, 7.9
 */
export async function* promptToPrompt(
  inputs: AttentionEditInputs,
  options: AttentionOptions,
  halted: () => boolean = () => false,
): AsyncGenerator<EditStep | EditProgress, void> {
  const { source, contexts, schedule } = inputs;
  const { steps, guidanceScale } = options;
  const alignment = alignPrompts(inputs, options);
  const predictNoise = haltable(inputs.predictNoise, halted);

  yield* untilHalted<EditStep | EditProgress>(async function* () {
    const trajectory = [source];
    const denoise = (x: NdArray, t: number) => predictNoise(x, t, contexts.source);
    for await (const { x, index } of invertDdim(denoise, source, schedule, {
      steps,
      predictionType: 'epsilon',
    })) {
      trajectory.push(x);
      yield { stage: 'invert', fraction: (index + 1) / steps };
    }
    if (options.retrace === 'direct') {
      const { frozen = inputs.predictNoise } = inputs;
      const { empty, frozenEmpty = empty } = contexts;
      const own = emptyPromptOf(options.emptyPrompt, inputs.emptyPrompt) === 'own';
      const from = own
        ? { predict: predictNoise, empty }
        : { predict: haltable(frozen, halted), empty: frozenEmpty };
      yield* sample(
        inputs,
        options,
        alignment,
        trajectory.at(-1)!,
        { by: 'direct', ...from, trajectory },
        halted,
      );
      return;
    }
    const empties: NdArray[] = [];
    if (options.nullSteps > 0 && guidanceScale !== 1) {
      const { unet, limits } = inputs;
      const { source, empty } = contexts;
      const inversion = nullTextInversion(
        { unet, predictNoise, schedule, trajectory, source, empty, limits },
        {
          guidanceScale,
          innerSteps: options.nullSteps,
          learningRate: options.nullRate,
          tolerance: options.nullTolerance,
          warmStart: options.nullWarmStart,
        },
      );
      for await (const { embedding, index } of inversion) {
        empties.push(embedding);
        yield { stage: 'null-text', fraction: (index + 1) / steps };
      }
    }
    const emptyAt = (index: number): NdArray => empties[index] ?? contexts.empty;
    const retrace = { by: 'null-text', predict: predictNoise, emptyAt } as const;
    yield* sample(inputs, options, alignment, trajectory.at(-1)!, retrace, halted);
  });
}

/** The two chains, from noise. */
export async function* sample(
  inputs: Omit<AttentionEditInputs, 'source' | 'predictNoise' | 'frozen' | 'emptyPrompt'>,
  options: AttentionOptions,
  alignment: Alignment,
  noise: NdArray,
  retrace: Retrace,
  halted: () => boolean,
): AsyncGenerator<EditStep, void> {
  const { contexts, schedule, paintedMask, tokenizer } = inputs;
  const { steps, guidanceScale } = options;
  const tokens = tokenizer.modelMaxLength;
  const [, channels, h, w] = noise.shape as [number, number, number, number];
  const unet = await controlledUNet(inputs.unet, {
    latentShape: [1, channels, h, w],
    tokens,
    limits: inputs.limits,
  });
  const predict = haltable(unet.predict, halted);
  const prompts = stack([contexts.source, contexts.target]);
  const words = blendWords(inputs, alignment, tokens);
  const automatic =
    options.localBlend && !paintedMask && words
      ? new LocalBlend({ threshold: options.blendThreshold, from: options.blendFrom })
      : null;
  const stride = Math.floor(schedule.numTrainTimesteps / steps);
  let x = stack([noise, noise]);
  try {
    for (const [index, t] of timestepGrid(schedule, steps).entries()) {
      const here = levelAt(schedule, t);
      const control = controlAt(index, alignment, options, tokens);
      const blend = words ?? zeros([2, tokens]);
      const { output, attention } = await predict(x, t, prompts, control, blend);
      const guidedBy = predictions(schedule.predictionType, output, x, here).eps;
      const eps =
        guidanceScale === 1
          ? guidedBy
          : axpby(1 - guidanceScale, await without(retrace, x, t, index, guidedBy), guidanceScale, guidedBy);
      const step = ddimCoefficients(here, levelAt(schedule, t - stride));
      const clean = ddimCoefficients(here, { alpha: 1, sigma: 0 });
      const estimate = axpby(clean.sample, x, clean.noise, eps);
      x = axpby(step.sample, x, step.noise, eps);
      if (retrace.by === 'direct') x = stack([retrace.trajectory[steps - 1 - index]!, rows(x, 1, 2)]);
      if (!isFiniteArray(x)) {
        throw new AppError('NUMERIC', `step ${index + 1} of ${steps} gave numbers that are not finite`, {
          t,
        });
      }
      automatic?.add(attention);
      const blending = index >= Math.floor(options.blendStart * steps);
      const mask = paintedMask ?? (automatic && blending ? automatic.mask(h, w) : null);
      if (mask) x = blended(x, mask);
      const direction = sub(rows(eps, 1, 2), rows(eps, 0, 1));
      const latent = index === steps - 1 ? x : mask ? blended(estimate, mask) : estimate;
      yield {
        index,
        total: steps,
        timestep: t,
        latent: rows(latent, 1, 2),
        mask,
        direction,
        directionRms: rms(direction),
        maps: null,
      };
    }
  } finally {
    await unet.dispose();
  }
}

/** @throws AppError BAD_REQUEST when words are to be replaced but their numbers differ */
export function alignPrompts(
  { tokenizer, prompts }: Pick<AttentionEditInputs, 'tokenizer' | 'prompts'>,
  { alignment }: Pick<AttentionOptions, 'alignment'>,
): Alignment {
  const [source, target] = [tokenizer.encode(prompts.source), tokenizer.encode(prompts.target)];
  const replaces =
    alignment === 'replace' || (alignment === 'auto' && source.spans.length === target.spans.length);
  return (replaces ? replaceAlignment : refineAlignment)(source, target);
}

/**
 * Within the window the target takes the aligned source maps, and what is new counts `subjectWeight` times (reweighting);
 * beyond it attends as it will. Windows end at ⌊cross·(n+1)⌋ and ⌊self·n⌋, as the Google code's.
 */
export function controlAt(
  index: number,
  { mapper, aligned, changed }: Alignment,
  { steps, crossReplace, selfReplace, subjectWeight }: AttentionOptions,
  tokens: number,
): Control {
  const within = index < Math.floor(crossReplace * (steps + 1));
  const fromSource = new Float32Array(tokens);
  const own = new Float32Array(tokens).fill(1);
  for (let j = 0; within && j < tokens; j++) {
    const weight = changed.target.includes(j) ? subjectWeight : 1;
    fromSource[j] = aligned[j]! * weight;
    own[j] = (1 - aligned[j]!) * weight;
  }
  return { mapper, fromSource, own, self: index < Math.floor(selfReplace * steps) };
}

/** Weights of the tokens that say where the edit is [2,L]; null when there are none. */
function blendWords(
  { tokenizer, prompts, subject }: Pick<AttentionEditInputs, 'tokenizer' | 'prompts' | 'subject'>,
  { changed }: Alignment,
  tokens: number,
): NdArray | null {
  const named = subject.flatMap((phrase) => tokenizer.tokenPositions(prompts.source, phrase));
  const source = named.length > 0 ? named : changed.source;
  if (source.length === 0) return null;
  const weights = zeros([2, tokens]);
  for (const at of source) weights.data[at] = 1;
  for (const at of changed.target) weights.data[tokens + at] = 1;
  return weights;
}

/** ε̂ of both rows without words; the source's with them, where that one is not to be guided. */
async function without(
  retrace: Retrace,
  x: NdArray,
  t: number,
  index: number,
  guidedBy: NdArray,
): Promise<NdArray> {
  if (retrace.by === 'null-text') return pair(retrace.predict, x, t, retrace.emptyAt(index));
  return stack([rows(guidedBy, 0, 1), await retrace.predict(rows(x, 1, 2), t, retrace.empty)]);
}

/** ε̂ of both rows with one context, in as many passes as the network needs. */
async function pair(predict: PredictNoise, x: NdArray, t: number, context: NdArray): Promise<NdArray> {
  if (predict.batched) return predict(x, t, stack([context, context]));
  return stack([await predict(rows(x, 0, 1), t, context), await predict(rows(x, 1, 2), t, context)]);
}

/** Source and target rows: outside the mask the target is the source. */
function blended(x: NdArray, mask: NdArray): NdArray {
  const size = x.data.length / 2;
  const plane = mask.data.length;
  const data = x.data.slice();
  for (let i = 0; i < size; i++) {
    const m = mask.data[i % plane]!;
    data[size + i] = (1 - m) * x.data[i]! + m * x.data[size + i]!;
  }
  return { data, shape: x.shape };
}
