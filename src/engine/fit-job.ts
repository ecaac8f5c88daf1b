import type { DiffusionModel } from '../diffusion/model';
import { promptWith } from '../document/concepts';
import type { FittedConcept } from '../document/document';
import type { ConceptAbout } from '../formats/concept-metadata';
import { cropSquare } from '../formats/crop';
import { toTensor } from '../formats/tensor';
import type { Fit } from '../steering/fit';
import {
  checkSteerOptions,
  type SteerOptions,
  type SteerOverrides,
  steerDefaults,
} from '../steering/options';
import { checkReferences, fitKey, type SteerRequest, steer } from '../steering/steer';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import { APP_VERSION } from '../util/version';
import { decodeCheckpoint, type StoredCheckpoint } from './checkpoint-file';
import { openTrainable } from './concept-files';
import type { FitEvent, FitRequest } from './events';
import { fitCheckpoints } from './fit-checkpoints';
import { readStoredFit, storeFit } from './fit-files';
import { fitPreviews } from './fit-previews';
import type { EngineHost } from './host';
import { factsOf, type LearnBase } from './learn-store';
import { inBestPrecision, type LoadModel } from './precision';
import type { RunControls } from './run-controls';
import { Timings } from './timings';

export interface FitBase extends LearnBase {
  /** options that suit the model */
  readonly steering: SteerOverrides;
}

/** Fits of this session, by `knownAs`. */
export type KnownFits = Map<string, FittedConcept>;

/**
 * Fit a concept to a photo, from request to stored fit; a fit that is stored already is given back at once. Cancelled,
 * it ends within one network call, after a last checkpoint if it had come as far as the guided samples; finished early,
 * with what was fitted so far as its result.
 *
 * @throws AppError BAD_REQUEST for a request that cannot run; TOO_BIG; UNSUPPORTED_MODEL; NUMERIC; STORAGE_FULL
 */
export async function* fitJob(
  host: EngineHost,
  load: LoadModel,
  base: FitBase,
  request: FitRequest,
  known: KnownFits,
  controls: RunControls,
  signal: AbortSignal,
): AsyncGenerator<FitEvent, void> {
  const defaults = steerDefaults(request.concept.method, base.steering);
  checkSteerOptions(request.options, defaults);
  for (const fit of request.known ?? []) known.set(knownAs(fit), fit);
  const resume =
    request.resume === null ? null : await decodeCheckpoint(await host.readBytes(request.resume));
  yield* inBestPrecision(load, request.model, 'fitting', resume, (model, loadMs, from) =>
    run(host, model, base, request, from, known, controls, signal, new Timings({ load: loadMs })),
  );
}

async function* run(
  host: EngineHost,
  model: DiffusionModel,
  base: FitBase,
  request: FitRequest,
  resume: StoredCheckpoint | null,
  known: KnownFits,
  controls: RunControls,
  signal: AbortSignal,
  timings: Timings,
): AsyncGenerator<FitEvent, void> {
  const steering = await steeringOf(host, model, base, request);
  const key = await fitKey(model.parts, steering);
  const before = await storedFit(host, known.get(knownAs({ ...request, key })), steering, base);
  if (before) {
    yield { kind: 'result', value: { fit: before, cached: true, metrics: {}, timings: timings.all } };
    return;
  }
  const previews = fitPreviews(model, host, timings);
  const checkpoints = fitCheckpoints(host, model.dtype, controls, timings, signal);
  const metrics: Readonly<Record<string, number>>[] = [];
  const job = steer(model, steering, {
    sampleEvery: 1,
    finish: controls.finishing,
    signal,
    ...(resume && { resume }),
  });
  let stage = 'encode';
  try {
    for (;;) {
      const [next, ms] = await timings.of(stage, () => job.next());
      if (next.done) {
        signal.throwIfAborted();
        yield await finished(next.value);
        return;
      }
      const event = next.value;
      if (event.kind === 'stage') {
        stage = event.name;
        yield event;
      } else if (event.kind === 'source') yield await previews.reconstruction(event.latent, steering.picture);
      else if (event.kind === 'guided') {
        yield await previews.guided(event, ms);
        if (event.checkpoint) yield* checkpoints.sampled(event.checkpoint, ms);
        signal.throwIfAborted();
      } else if (event.kind === 'step') {
        timings.step(ms);
        checkpoints.step(ms);
        const { index, total, gradNorm, applied } = event;
        metrics.push(event.metrics ?? {});
        yield {
          kind: 'step',
          index,
          total,
          metrics: { ...event.metrics, gradNorm, applied: Number(applied) },
        };
      } else if (event.kind === 'sample') {
        yield* checkpoints.trained(event.index, steering.options.steps, event.checkpoint);
        signal.throwIfAborted();
      }
    }
  } catch (error) {
    if (signal.aborted) yield* checkpoints.rest();
    throw error;
  } finally {
    // frees the networks, wherever this ended
    await job.return(null as never);
  }

  async function finished(fit: Fit): Promise<FitEvent> {
    const { concept, photo, seed } = request;
    const { sourcePrompt, targetPrompt, options } = steering;
    const steps = (resume?.step ?? 0) + metrics.length;
    if (steps === 0) throw new DOMException('finished before anything was fitted', 'AbortError');
    const about = aboutFit(model, base, request, options, steps);
    const fitted: FittedConcept = {
      id: await storeFit(host, fit, concept.id, base, about),
      key: fit.key,
      concept: concept.id,
      model: request.model,
      photo: photo.id,
      square: photo.square,
      sourcePrompt,
      targetPrompt,
      options,
      seed,
      steps,
      samples: await previews.samples(fit.guided),
    };
    known.set(knownAs(fitted), fitted);
    const value = { fit: fitted, cached: false, metrics: lastQuarter(metrics), timings: timings.all };
    return { kind: 'result', value };
  }
}

/** Models of one configuration share keys. */
const knownAs = ({ key, model }: Pick<FittedConcept, 'key' | 'model'>): string => `${model} ${key}`;

type Steering = SteerRequest & { readonly options: SteerOptions };

/** The request as steering takes it. @throws AppError BAD_REQUEST when the prompt has no place for the concept */
async function steeringOf(
  host: EngineHost,
  model: DiffusionModel,
  base: FitBase,
  { concept: learned, photo, options, seed, ...prompts }: FitRequest,
): Promise<Steering> {
  const complete = checkSteerOptions(options, steerDefaults(learned.method, base.steering));
  const targetPrompt = promptWith(learned, prompts);
  const concept = await openTrainable(host, learned, base, model.parts, complete.loraRank > 0);
  const squareOf = async ({ id, square }: FitRequest['photo']) =>
    toTensor(await cropSquare(await host.readImage(id), square, model.size));
  const references: NdArray[] = [];
  if (complete.references > 0) {
    checkReferences(learned.pictures.length);
    for (const picture of learned.pictures) references.push(await squareOf(picture));
  }
  return {
    concept,
    picture: await squareOf(photo),
    references,
    sourcePrompt: prompts.sourcePrompt,
    targetPrompt,
    options: complete,
    seed,
  };
}

/** A fit that was made to its end and whose file is still there. */
async function storedFit(
  host: EngineHost,
  fit: FittedConcept | undefined,
  { options, concept }: Steering,
  base: FitBase,
): Promise<FittedConcept | null> {
  // one that was finished early is not what its key stands for
  if (fit?.steps !== options.steps) return null;
  try {
    const file = await readStoredFit(host, fit!, { token: concept.token, name: concept.token }, base);
    return file.key === fit!.key ? fit! : null;
  } catch (error) {
    if (error instanceof AppError && error.code === 'BAD_FILE') return null;
    throw error;
  }
}

const aboutFit = (
  model: DiffusionModel,
  base: FitBase,
  { concept: { name, method, classWord, token, subject }, seed }: FitRequest,
  options: SteerOptions,
  steps: number,
): ConceptAbout => ({
  ...factsOf(model, base),
  title: `${name}, fitted`,
  method,
  classWord,
  token,
  subject,
  appVersion: APP_VERSION,
  date: new Date().toISOString(),
  training: { steps, learningRate: options.learningRate, seed, images: 1, optimizer: 'AdamW' },
  settings: options,
});

/** Means over the last quarter of the steps: single steps differ by their noise. */
function lastQuarter(steps: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const last = steps.slice(Math.floor(steps.length * 0.75));
  const names = Object.keys(last[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [name, last.reduce((sum, step) => sum + step[name]!, 0) / last.length]),
  );
}
