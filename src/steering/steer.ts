/** Steering: a concept and a photo in, the concept fitted to that photo out. */
import type { DiffusionModel, ModelParts } from '../diffusion/model';
import { createTextEncoder } from '../diffusion/text-encoder';
import { applyConcept, type Concept } from '../personalization/concept';
import { runHash } from '../personalization/config-hash';
import { fillTemplate, PLAIN_TEMPLATE, rateOf } from '../personalization/method';
import { MAX_PICTURES } from '../personalization/plan';
import { onSubject } from '../personalization/subject-region';
import type { Example } from '../training/data';
import { type Checkpoint, checkBelongs, type LoopEvent, trainingLoop } from '../training/loop';
import type { TrainerState } from '../training/trainer';
import { AppError } from '../util/errors';
import { isFiniteArray, type NdArray, zeros } from '../util/nd-array';
import { conceptHash, type Fit } from './fit';
import { type FitContexts, fitTrainer } from './fit-trainer';
import { guidedSamples, type SamplingState } from './guided-sampling';
import { rowsOf } from './objective';
import { checkSteerOptions, heldBy, type SteerOptions, steerDefaults } from './options';
import { classPrompt, type FitPrompts, surroundings } from './surroundings';

/** Everything that decides a fit. */
export interface SteerRequest {
  readonly concept: Concept;
  /** the edited square of the photo [1,3,S,S] in [-1,1], S as the model's pictures */
  readonly picture: NdArray;
  /** what the photo shows, and the same with the concept's words in place of its subject */
  readonly sourcePrompt: string;
  readonly targetPrompt: string;
  /** what the concept was learned from, 0 to 20 squares as `picture`, for the option `references`; absent: none */
  readonly references?: readonly NdArray[];
  /** what differs from `steerDefaults(concept.method)` */
  readonly options: Partial<SteerOptions>;
  readonly seed: number;
}

/** Where a fit stands: the training run and the samples it trains on, or how far those have come. */
export interface SteerCheckpoint extends Checkpoint {
  readonly guided: readonly NdArray[];
  /** of samples in the making: there is no training run yet; null: they are done */
  readonly sampling: SamplingState | null;
}

export interface SteerHost {
  readonly checkpointEvery?: number;
  readonly sampleEvery?: number;
  readonly resume?: SteerCheckpoint;
  readonly finish?: AbortSignal;
  /** cancels: looked at before every network call but those of a step */
  readonly signal?: AbortSignal;
  /** compute values again instead of keeping them, and attention this many query rows at a time */
  readonly recompute?: readonly ('block' | 'tile')[];
  readonly attentionTile?: number;
}

export type SteerEvent =
  | {
      readonly kind: 'stage';
      readonly name: 'encode' | 'invert' | 'guide' | 'compile' | 'fit';
      readonly fraction?: number;
    }
  /** the photo, as a latent [1,C,h,w] */
  | { readonly kind: 'source'; readonly latent: NdArray }
  /** estimates of the clean guided samples after a sampling step, latents [1,C,h,w]; after the last the samples */
  | {
      readonly kind: 'guided';
      readonly index: number;
      readonly total: number;
      readonly samples: readonly NdArray[];
      /** mean L_sp; null where nothing guides */
      readonly loss: number | null;
      /** null while samples are made again: what there is to keep is the steps' */
      readonly checkpoint: SteerCheckpoint | null;
    }
  /** metrics: `delta2` (mean Δ²), `gap` (MSE of A and C), `modeShift` (L_MS), `pictures` (its own), as far as they are part of the fit */
  | Extract<LoopEvent, { kind: 'step' }>
  | { readonly kind: 'checkpoint'; readonly checkpoint: SteerCheckpoint }
  /** a good moment to look, or to keep what there is: after `index` steps */
  | { readonly kind: 'sample'; readonly index: number; readonly checkpoint: () => Promise<SteerCheckpoint> };

/** SHA-256 (hex) of everything that decides a fit; equal keys are equal fits. */
export async function fitKey(base: ModelParts, request: SteerRequest): Promise<string> {
  const { concept, picture, sourcePrompt, targetPrompt, references = [], seed } = request;
  const options = effectiveOptions(request);
  const compared = comparedPrompt(request, options);
  const settings = {
    parent: await conceptHash(concept),
    sourcePrompt,
    targetPrompt,
    seed,
    // left out where it says nothing new: fits made before it was known keep their keys
    ...(compared !== sourcePrompt && { compared }),
  };
  return runHash(base, { ...settings, options }, [picture, ...(options.references > 0 ? references : [])]);
}

const effectiveOptions = ({ concept, options, references = [] }: SteerRequest): SteerOptions =>
  heldBy(checkSteerOptions(options, steerDefaults(concept.method)), references.length);

/** What the plain model is told that the photo shows, where a fit is compared with it. */
const comparedPrompt = (request: SteerRequest, { region }: SteerOptions): string =>
  (region === 'surroundings' ? classPrompt(request, request.concept.classWord) : null) ??
  request.sourcePrompt;

/**
 * Fit a concept to a photo. Pausing is not asking for the next event; cancelling is `return()`. The concept and the base
 * stay as they are.
 *
 * @throws AppError BAD_REQUEST for a request that cannot run; UNSUPPORTED_MODEL; TOO_BIG; NUMERIC; OUT_OF_MEMORY
 * @see METHOD.md 3.3 to 3.5, 3.10
 */
export async function* steer(
  model: DiffusionModel,
  request: SteerRequest,
  host: SteerHost = {},
): AsyncGenerator<SteerEvent, Fit> {
  const { concept, seed } = request;
  const { parts: base } = model;
  const options = effectiveOptions(request);
  checkPrompts(request);
  checkReferences(request.references?.length ?? 0);
  const [parent, key] = await Promise.all([conceptHash(concept), fitKey(base, request)]);
  const personalised = applyConcept(base, concept);
  try {
    yield { kind: 'stage', name: 'encode' };
    const source = await encoded(model, request.picture);
    yield { kind: 'source', latent: source };
    host.signal?.throwIfAborted();
    const compared = comparedPrompt(request, options);
    const contexts = await textStates(model, personalised, { ...request, compared });
    const rows = rowsOf(options);
    const from = host.resume?.sampling;
    if (from) checkBelongs(host.resume, key);
    const trained = from ? undefined : host.resume;
    const region = needsSurroundings(options)
      ? await surroundings(
          model,
          { ...request, source, context: contexts.source, signal: host.signal },
          options,
        )
      : null;
    const references = rows.references > 0 ? await ownPictures(model, request, host.signal) : [];
    let samples: readonly NdArray[] = trained?.guided ?? [];
    if (rows.guided > 0 && samples.length === 0) {
      const { signal } = host;
      const inputs = { source, contexts, seed, region, ...(from && { from }), ...(signal && { signal }) };
      samples = yield* sampled({ ...NOTHING, configHash: key }, model, personalised, inputs, options);
    }

    yield { kind: 'stage', name: 'compile' };
    const run = await fitTrainer(
      model,
      personalised,
      { ...request, source, contexts, samples, references, region, options },
      host,
    );
    try {
      yield { kind: 'stage', name: 'fit' };
      const loop = trainingLoop(run.trainer, run.batch, {
        steps: options.steps,
        learningRate: rateOf(options),
        configHash: key,
        ...(host.checkpointEvery && { checkpointEvery: host.checkpointEvery }),
        ...(host.sampleEvery && { sampleEvery: host.sampleEvery }),
        ...(trained && { resume: trained }),
        ...(host.finish && { finish: host.finish }),
      });
      /** Samples by the concept as it is fitted by now: again where a run goes on from here, with the same result. */
      const renewed = async function* (
        done: number,
        state: () => Promise<TrainerState>,
      ): AsyncGenerator<SteerEvent, void> {
        const { refreshEvery: every, steps } = options;
        if (rows.guided === 0 || every === 0 || done === 0 || done % every !== 0 || done >= steps) return;
        const delta = run.delta(await state());
        const from = run.onTop ? personalised : base;
        const fitted = applyConcept(from, delta);
        try {
          const now = await textStates(model, fitted, { ...request, compared });
          const inputs = { source, contexts: now, seed, region, ...(host.signal && { signal: host.signal }) };
          samples = yield* sampled(null, model, fitted, inputs, options);
        } finally {
          disposeOwn(fitted, from);
        }
        run.renew(samples);
        yield { kind: 'stage', name: 'fit' };
      };
      if (trained) {
        checkBelongs(trained, key);
        yield* renewed(trained.step, async () => trained.state);
      }
      const withSamples = (at: Checkpoint): SteerCheckpoint => ({ ...at, guided: samples, sampling: null });
      if (host.sampleEvery && !trained) {
        // the samples take long to make: they can be kept before a step is done
        const start = async () => ({ step: 0, configHash: key, state: await run.trainer.state() });
        yield { kind: 'sample', index: 0, checkpoint: async () => withSamples(await start()) };
      }
      for (;;) {
        const next = await loop.next();
        if (next.done) {
          return { parent, key, onTop: run.onTop, delta: run.delta(next.value.state), guided: samples };
        }
        const event = next.value;
        if (event.kind === 'checkpoint') {
          yield { kind: 'checkpoint', checkpoint: withSamples(event.checkpoint) };
        } else if (event.kind === 'sample') {
          yield { ...event, checkpoint: async () => withSamples(await event.checkpoint()) };
        } else {
          yield event;
          if (event.kind === 'step') yield* renewed(event.index + 1, () => run.trainer.state());
        }
      }
    } finally {
      await run.dispose();
    }
  } finally {
    disposeOwn(personalised, base);
  }
}

/** The concept's own pictures, each as far as it shows the concept. */
async function ownPictures(
  model: DiffusionModel,
  { concept: { subject, classWord }, references = [], seed }: SteerRequest,
  signal?: AbortSignal,
): Promise<Example[]> {
  const prompts = [fillTemplate(PLAIN_TEMPLATE, subject)];
  const examples: Example[] = [];
  for (const picture of references) {
    signal?.throwIfAborted();
    const mean = await encoded(model, picture);
    examples.push({ latent: { mean, std: zeros(mean.shape) }, prompts });
  }
  return onSubject(model.parts, examples, { classWord, seed, limits: model.limits, signal });
}

/** Free what a model has of its own beside the one it was made of. */
function disposeOwn(model: ModelParts, from: ModelParts): void {
  for (const part of ['unet', 'textEncoder'] as const) {
    if (model[part].weights !== from[part].weights) model[part].weights.dispose();
  }
}

const needsSurroundings = (options: SteerOptions): boolean => {
  const { edsd, guided } = rowsOf(options);
  const { region, shiftTo, background } = options;
  const compares = edsd > 0 || (guided > 0 && shiftTo === 'learned');
  return (compares && region === 'surroundings') || (guided > 0 && background === 'photo');
};

/** @throws AppError BAD_REQUEST for more pictures of a concept than one can be learned from */
export function checkReferences(count: number): void {
  if (count <= MAX_PICTURES) return;
  throw new AppError(
    'BAD_REQUEST',
    `a fit takes up to ${MAX_PICTURES} pictures of the concept, not ${count}`,
  );
}

/** @throws AppError BAD_REQUEST */
function checkPrompts({ concept, sourcePrompt, targetPrompt }: SteerRequest): void {
  if (sourcePrompt.trim() === '') {
    throw new AppError('BAD_REQUEST', 'steering needs to be told what the photo shows');
  }
  if (!targetPrompt.includes(concept.token)) {
    throw new AppError('BAD_REQUEST', `the target prompt must contain the concept’s word ${concept.token}`);
  }
}

/** @throws AppError SHAPE, NUMERIC */
async function encoded({ encode, size }: DiffusionModel, picture: NdArray): Promise<NdArray> {
  if (picture.shape.join() !== `1,3,${size},${size}`) {
    throw new AppError('SHAPE', `the picture must be [1,3,${size},${size}], not [${picture.shape}]`);
  }
  const latent = await encode(picture);
  if (isFiniteArray(latent)) return latent;
  throw new AppError('NUMERIC', 'the encoded photo holds numbers that are not finite');
}

/** Text states of the frozen model and of the personalised one, as it starts. */
async function textStates(
  { embed }: DiffusionModel,
  { textEncoder, tokenizer }: ModelParts,
  { sourcePrompt, compared, targetPrompt }: FitPrompts & { readonly compared: string },
): Promise<FitContexts> {
  const own = createTextEncoder(textEncoder.config, textEncoder.weights, tokenizer, textEncoder.learned);
  try {
    return {
      source: await embed(sourcePrompt),
      compared: await embed(compared),
      sourceEmpty: await embed(''),
      target: await own.embed(targetPrompt),
      empty: await own.embed(''),
    };
  } finally {
    await own.dispose();
  }
}

/** A fit of which no step is done. */
const NOTHING = { step: 0, state: { count: 0, weights: new Map(), slots: {} }, guided: [] };

/** The guided samples, with their progress. @param start  what to keep of it, beside where sampling stands */
async function* sampled(
  start: Omit<SteerCheckpoint, 'sampling'> | null,
  ...[model, personalised, inputs, options]: Parameters<typeof guidedSamples>
): AsyncGenerator<SteerEvent, readonly NdArray[]> {
  const inverts = options.sampling !== 'noise' && !inputs.from;
  yield { kind: 'stage', name: inverts ? 'invert' : 'guide' };
  const sampling = guidedSamples(model, personalised, inputs, options);
  try {
    for (;;) {
      const next = await sampling.next();
      if (next.done) return next.value;
      const { stage, index, total } = next.value;
      yield { kind: 'stage', name: stage, fraction: (index + 1) / total };
      if (next.value.stage === 'guide') {
        const { samples, loss, state } = next.value;
        const checkpoint = start && { ...start, sampling: state };
        yield { kind: 'guided', index, total, samples, loss, checkpoint };
      }
    }
  } finally {
    await sampling.return([]);
  }
}
