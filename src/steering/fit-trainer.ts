/** The training run of a fit: the objective as a compiled step, and what each step is fed. */
import { guided } from '../diffusion/guidance';
import type { DiffusionModel, ModelParts } from '../diffusion/model';
import { timestepEmbedding } from '../models/embeddings';
import { Graph } from '../onnx/graph';
import type { Concept } from '../personalization/concept';
import { personalizationMethods } from '../personalization/methods';
import { firstTokenDetached } from '../personalization/plan';
import type { Arrays } from '../runtime/session';
import { adamw } from '../training/adamw';
import { compileStep, gradientRules, stepPrecision } from '../training/step';
import { trainingParams, trainingStore } from '../training/trainable';
import type { Trainer } from '../training/trainer';
import { type NdArray, stack } from '../util/nd-array';
import { createStepRng } from '../util/random';
import { drawEdsd, edsdFeeds } from './edsd';
import { frozenConcept } from './frozen-concept';
import { modeShiftData } from './mode-shift';
import { needsEmptyPrompt, objective, rowsOf } from './objective';
import type { SteerOptions } from './options';
import { type FitPlan, ownWeights, updateOnTop } from './trainables';

/** Text states [1,L,D]: of the frozen model, and of the personalised one as it starts. */
export interface FitContexts {
  readonly source: NdArray;
  readonly sourceEmpty: NdArray;
  readonly target: NdArray;
  readonly empty: NdArray;
}

export interface FitInputs {
  readonly concept: Concept;
  /** photo [1,C,h,w], already × scaling factor */
  readonly source: NdArray;
  readonly contexts: FitContexts;
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

/** Keeps EDSD's draws apart from those of mode shifting, which start from the same seed. */
const EDSD_SEED = 0x5eed;

/** @throws AppError TOO_BIG, UNSUPPORTED_MODEL, OUT_OF_MEMORY */
export async function fitTrainer(
  model: DiffusionModel,
  personalised: ModelParts,
  { concept, source, contexts, samples, targetPrompt, options, seed, region }: FitInputs,
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

  const prompts = [
    ...Array<string>(rows.edsd + rows.guided).fill(targetPrompt),
    ...(needsEmptyPrompt(options) ? [''] : []),
  ];
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

  return {
    trainer,
    onTop: plan.onTop,
    delta: plan.delta,
    async batch(step) {
      const noised: NdArray[] = [];
      const timesteps: number[] = [];
      const feeds: Record<string, NdArray> = {};
      if (rows.edsd > 0) {
        const draw = drawEdsd(createStepRng(seed ^ EDSD_SEED, step), schedule, source, options);
        const { sample, t } = draw;
        const [empty, prompt, w] = [contexts.sourceEmpty, contexts.source, options.edsdGuidance];
        const reference = await guided(model.predictNoise, sample, t, empty, prompt, w);
        Object.assign(feeds, edsdFeeds(schedule, draw, reference, edsd, embed), around && { region: around });
        if (asLearned && anchored) {
          feeds.learned = await guided(asLearned.noise, sample, t, contexts.empty, contexts.target, w);
        }
        noised.push(sample);
        timesteps.push(t);
      }
      if (rows.guided > 0) {
        const data = modeShiftData(shift, step);
        const target = asLearned && toLearned ? await asLearned.outputs(data, contexts.target) : data.target;
        Object.assign(feeds, { target, loss_weight: data.lossWeight });
        noised.push(data.sample);
        timesteps.push(...data.timesteps);
      }
      return {
        ...feeds,
        sample: stack(noised),
        time_embedding: embed(...timesteps),
        ...(await conditioning.feeds(prompts)),
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
