/** The training run of a fit: the objective as a compiled step, and what each step is fed. */
import { guided, noiseOf } from '../diffusion/guidance';
import type { DiffusionModel, ModelParts } from '../diffusion/model';
import { timestepEmbedding } from '../models/embeddings';
import { Graph } from '../onnx/graph';
import type { Concept } from '../personalization/concept';
import { personalizationMethods } from '../personalization/methods';
import { firstTokenDetached } from '../personalization/plan';
import type { Arrays } from '../runtime/session';
import { adamw } from '../training/adamw';
import { type Example, type StepData, stepData } from '../training/data';
import { compileStep, gradientRules, stepPrecision } from '../training/step';
import { trainingParams, trainingStore } from '../training/trainable';
import type { Trainer } from '../training/trainer';
import { type NdArray, rows as narrow, stack } from '../util/nd-array';
import { createStepRng } from '../util/random';
import { drawEdsd, type EdsdDraw, edsdFeeds } from './edsd';
import { frozenConcept } from './frozen-concept';
import { modeShiftData } from './mode-shift';
import { needsEmptyPrompt, objective, rowsOf } from './objective';
import type { SteerOptions } from './options';
import { type FitPlan, ownWeights, updateOnTop } from './trainables';

/** Text states [1,L,D]: of the frozen model, and of the personalised one as it starts. */
export interface FitContexts {
  readonly source: NdArray;
  /** what the frozen model reads for C: as `source`, or what `classPrompt` tells it */
  readonly compared: NdArray;
  readonly sourceEmpty: NdArray;
  readonly target: NdArray;
  readonly empty: NdArray;
}

export interface FitInputs {
  readonly concept: Concept;
  /** photo [1,C,h,w], already × scaling factor */
  readonly source: NdArray;
  readonly contexts: FitContexts;
  /** the concept's own pictures, encoded; none: not looked at */
  readonly references: readonly Example[];
  /** guided samples [1,C,h,w] */
  readonly samples: readonly NdArray[];
  readonly targetPrompt: string;
  /** `surroundings` [1,1,h,w], if an option needs them; null also where there is no subject: then all is compared */
  readonly region: NdArray | null;
  readonly options: SteerOptions;
  readonly seed: number;
}

export interface FitTrainerOptions {
  readonly recompute?: readonly ('block' | 'tile')[];
  readonly attentionTile?: number;
}

export interface FitTrainer extends Pick<FitPlan, 'onTop' | 'delta'> {
  readonly trainer: Trainer;
  /** feeds of a step, from its number and the guided samples alone */
  batch(step: number): Promise<Arrays>;
  /** Learn from other guided samples from now on. */
  renew(samples: readonly NdArray[]): void;
  dispose(): Promise<void>;
}

/** Keep the draws of EDSD and of the concept's own pictures apart from those of mode shifting, which start from the same seed. */
const EDSD_SEED = 0x5eed;
const PICTURES_SEED = 0x0b7;

/** @throws AppError TOO_BIG, UNSUPPORTED_MODEL, OUT_OF_MEMORY */
export async function fitTrainer(
  model: DiffusionModel,
  personalised: ModelParts,
  { concept, source, contexts, samples, references, targetPrompt, options, seed, region }: FitInputs,
  { recompute, attentionTile }: FitTrainerOptions,
): Promise<FitTrainer> {
  const { parts: base } = model;
  const { schedule, tokenizer, unet, textEncoder } = base;
  const { config, weights } = unet;
  const { dtype } = weights;
  const rows = rowsOf(options);
  const around = options.region === 'surroundings' ? region : null;
  const anchored = rows.edsd > 0 && around !== null && options.anchor > 0;
  const toLearned = rows.guided > 0 && options.shiftTo === 'learned';
  const asLearned = anchored || toLearned ? frozenConcept(model, personalised, source) : null;
  const plan =
    options.loraRank > 0
      ? updateOnTop(base, personalised, concept, options.loraRank, seed)
      : ownWeights(base, personalised, concept);
  const names = [...plan.trainables.keys()];
  const [, , height, width] = source.shape as readonly [number, number, number, number];
  const size = { height, width, tokens: tokenizer.modelMaxLength };

  const g = new Graph();
  const params = trainingParams(g, plan.trainables, dtype);
  const edsd = {
    ...options,
    region: around ? ('surroundings' as const) : ('all' as const),
    predictionType: schedule.predictionType,
    table: gradientRules(weights.backend, names),
  };
  const { loss, metrics } = objective(g, {
    ...edsd,
    ...size,
    unet: { config, params: plan.unetParams(g, params) },
    ...(plan.vectors !== null && { text: { config: textEncoder.config, params, vectors: plan.vectors } }),
    ...(personalizationMethods[concept.method]?.detachFirstToken && { tap: firstTokenDetached(g) }),
    ...(attentionTile && { attentionTile }),
    dtype,
  });
  const store = trainingStore(plan.trainables, plan.beneath);
  const trainer = await compileStep(g, loss, names, store, {
    optimiser: adamw({ weightDecay: options.weightDecay }),
    metrics,
    ...stepPrecision(dtype),
    limits: model.limits,
    ...(recompute && { recompute }),
    label: 'fit',
  });
  const conditioning = await plan.conditioning();

  const embed = (...timesteps: number[]): NdArray =>
    timestepEmbedding(timesteps, config.down[0]!.channels, config);
  let shift = {
    guided: samples,
    targetPrompt,
    batch: rows.guided,
    schedule,
    seed,
    ...(toLearned && around && { mask: around.data.map((v) => 1 - v) }),
  };

  const pictures = {
    instances: references,
    batch: rows.references,
    schedule,
    evenLevels: true,
    seed: seed ^ PICTURES_SEED,
  };
  const w = options.edsdGuidance;
  const drawn = (step: number): EdsdDraw =>
    drawEdsd(createStepRng(seed ^ EDSD_SEED, step), schedule, source, options);
  const inPairs = w === 1 && model.predictNoise.batched === true;
  let pair: { readonly first: number; readonly noise: NdArray } | null = null;
  /** C. It needs nothing of the fit, and one run for two steps takes less than two. */
  const reference = async (step: number): Promise<NdArray> => {
    if (!inPairs) {
      const { sample, t } = drawn(step);
      return guided(model.predictNoise, sample, t, contexts.sourceEmpty, contexts.compared, w);
    }
    const first = step - (step % 2);
    if (pair?.first !== first) {
      const both = [drawn(first), drawn(first + 1)];
      const samples = stack(both.map(({ sample }) => sample));
      const timesteps = both.map(({ t }) => t);
      const prompts = stack([contexts.compared, contexts.compared]);
      pair = { first, noise: await model.predictNoise(samples, timesteps, prompts) };
    }
    return narrow(pair.noise, step - first, step - first + 1);
  };
  /** What the concept as learned says: its noise at EDSD's draw (A₀), its outputs at the guided samples. */
  const learned = async (
    draw: EdsdDraw | null,
    data: StepData | null,
  ): Promise<{ readonly noise: NdArray | null; readonly target: NdArray | null }> => {
    const held = asLearned && anchored ? draw : null;
    const shifted = asLearned && toLearned ? data : null;
    if (held && w !== 1) {
      const noise = await guided(asLearned!.noise, held.sample, held.t, contexts.empty, contexts.target, w);
      return { noise, target: shifted && (await asLearned!.outputs(shifted, contexts.target)) };
    }
    const parts = [held, shifted].flatMap((part) => (part ? [part.sample] : []));
    if (parts.length === 0) return { noise: null, target: null };
    const sample = stack(parts);
    const timesteps = [...(held ? [held.t] : []), ...(shifted?.timesteps ?? [])];
    const outputs = await asLearned!.outputs({ sample, timesteps }, contexts.target);
    const own = held ? 1 : 0;
    return {
      noise: held && noiseOf(schedule, narrow(outputs, 0, 1), held.sample, held.t),
      target: shifted && narrow(outputs, own, timesteps.length),
    };
  };

  return {
    trainer,
    onTop: plan.onTop,
    delta: plan.delta,
    async batch(step) {
      const draw = rows.edsd > 0 ? drawn(step) : null;
      const data = rows.guided > 0 ? modeShiftData(shift, step) : null;
      const own = rows.references > 0 ? stepData(pictures, step) : null;
      const { noise, target } = await learned(draw, data);
      return {
        ...(draw && edsdFeeds(schedule, draw, await reference(step), edsd, embed)),
        ...(draw && around && { region: around }),
        ...(noise && { learned: noise }),
        ...(data && { target: target ?? data.target, loss_weight: data.lossWeight }),
        ...(own && { own_target: own.target, own_loss_weight: own.lossWeight }),
        sample: stack([draw, data, own].flatMap((part) => (part ? [part.sample] : []))),
        time_embedding: embed(
          ...(draw ? [draw.t] : []),
          ...(data?.timesteps ?? []),
          ...(own?.timesteps ?? []),
        ),
        ...(await conditioning.feeds([
          ...Array<string>(rows.edsd + rows.guided).fill(targetPrompt),
          ...(own?.prompts ?? []),
          ...(needsEmptyPrompt(options) ? [''] : []),
        ])),
      };
    },
    renew(guided) {
      shift = { ...shift, guided };
    },
    async dispose() {
      for (const part of [trainer, conditioning]) await part.dispose();
      await asLearned?.dispose();
      store.dispose();
    },
  };
}
