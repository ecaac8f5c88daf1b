/** Learn a concept: pictures and a word in, a delta on the base model out. */
import type { ModelParts } from '../diffusion/model';
import { timestepEmbedding } from '../models/embeddings';
import { Graph } from '../onnx/graph';
import { adamw } from '../training/adamw';
import { type Example, rowsPerStep, stepData } from '../training/data';
import { denoisingLoss } from '../training/denoising-loss';
import { type Checkpoint, type LoopEvent, trainingLoop } from '../training/loop';
import { compileStep, stepPrecision } from '../training/step';
import { trainingParams, trainingStore } from '../training/trainable';
import type { Resize } from './augment';
import { frozenText, trainedText } from './conditioning';
import { configHash } from './config-hash';
import { encodeInstances } from './instances';
import { withLora } from './lora';
import { fillTemplate, rateOf, templatesOf } from './method';
import { firstTokenDetached, type LearnRequest, plan } from './plan';
import { priorExamples } from './prior';
import { onSubject } from './subject-region';

export interface LearnHost {
  readonly resize: Resize;
  /** bytes that a run may take in all and in one tensor */
  readonly limits: { readonly total?: number; readonly tensor?: number };
  readonly checkpointEvery?: number;
  readonly sampleEvery?: number;
  readonly resume?: Checkpoint;
  readonly finish?: AbortSignal;
  /** cancels: looked at before every network call but those of a step, which is one */
  readonly signal?: AbortSignal;
  /** network steps per class picture; default as the reference's */
  readonly priorSteps?: number;
  /** compute values again instead of keeping them, and attention this many query rows at a time */
  readonly recompute?: readonly ('block' | 'tile')[];
  readonly attentionTile?: number;
}

export type LearnEvent =
  | {
      readonly kind: 'stage';
      readonly name: 'encode' | 'prior' | 'compile' | 'learn';
      readonly fraction?: number;
    }
  | LoopEvent;

/**
 * @returns  where the run ended; `conceptOf` says what that state has learned
 * @throws AppError BAD_REQUEST for a request that cannot run; UNSUPPORTED_MODEL; TOO_BIG; NUMERIC; OUT_OF_MEMORY
 */
export async function* learn(
  base: ModelParts,
  request: LearnRequest,
  host: LearnHost,
): AsyncGenerator<LearnEvent, Checkpoint> {
  const { method, options, trainables, tokenizer } = plan(base, request);
  const hash = await configHash(base, request);

  yield { kind: 'stage', name: 'encode' };
  const encoded = await encodeInstances(base, request, host.resize, host.signal);
  const { limits, signal } = host;
  const { classWord, seed } = request;
  const instances =
    options.subjectOnly === 1 ? await onSubject(base, encoded, { classWord, seed, limits, signal }) : encoded;
  const { latent } = instances[0]!;
  const priors: Example[] = [];
  if (options.priorPictures > 0) {
    const made = priorExamples(base, {
      classPrompt: fillTemplate(templatesOf(method, options)[0]!, classWord),
      count: options.priorPictures,
      seed,
      latentShape: latent.mean.shape,
      limits,
      signal,
      ...(host.priorSteps && { steps: host.priorSteps }),
    });
    for await (const example of made) {
      priors.push(example);
      yield { kind: 'stage', name: 'prior', fraction: priors.length / options.priorPictures };
    }
  }

  yield { kind: 'stage', name: 'compile' };
  const data = {
    instances,
    priors,
    priorWeight: options.priorWeight,
    batch: options.batch,
    schedule: base.schedule,
    evenLevels: options.evenLevels === 1,
    seed,
  };
  const { dtype } = base.unet.weights;
  const { config } = base.unet;
  const [, , height, width] = latent.mean.shape as readonly [number, number, number, number];
  const throughText = options.vectors > 0 || options.textEncoder > 0;
  const g = new Graph();
  const params = trainingParams(g, trainables, dtype);
  const loss = denoisingLoss(g, {
    batch: rowsPerStep(data),
    height,
    width,
    tokens: tokenizer.modelMaxLength,
    unet: {
      config,
      params: withLora(g, params, trainables, options.rank ? options.alpha / options.rank : 0),
    },
    ...(throughText && { text: { config: base.textEncoder.config, params, vectors: options.vectors } }),
    ...(method.detachFirstToken && { tap: firstTokenDetached(g) }),
    ...(host.attentionTile && { attentionTile: host.attentionTile }),
    dtype,
  });
  const store = trainingStore(trainables, [base.unet.weights, base.textEncoder.weights]);
  const opened: { dispose(): Promise<void> }[] = [];
  try {
    const trainer = await compileStep(g, loss, [...trainables.keys()], store, {
      optimiser: adamw({ weightDecay: options.weightDecay }),
      ...stepPrecision(dtype),
      limits,
      ...(host.recompute && { recompute: host.recompute }),
      label: method.label,
    });
    opened.push(trainer);
    const conditioning = throughText ? await trainedText(base, tokenizer, options.vectors) : frozenText(base);
    opened.push(conditioning);
    const batch = async (step: number) => {
      const { prompts, timesteps, sample, target, lossWeight } = stepData(data, step);
      return {
        sample,
        target,
        loss_weight: lossWeight,
        time_embedding: timestepEmbedding(timesteps, config.down[0]!.channels, config),
        ...(await conditioning.feeds(prompts)),
      };
    };

    yield { kind: 'stage', name: 'learn' };
    const loop = trainingLoop(trainer, batch, {
      steps: options.steps,
      learningRate: rateOf(options),
      configHash: hash,
      ...(host.checkpointEvery && { checkpointEvery: host.checkpointEvery }),
      ...(host.sampleEvery && { sampleEvery: host.sampleEvery }),
      ...(host.resume && { resume: host.resume }),
      ...(host.finish && { finish: host.finish }),
    });
    for (;;) {
      const next = await loop.next();
      if (next.done) return next.value;
      yield next.value;
    }
  } finally {
    for (const each of opened) await each.dispose();
    store.dispose();
  }
}
