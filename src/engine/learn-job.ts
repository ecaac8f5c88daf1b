import type { DiffusionModel } from '../diffusion/model';
import type { ConceptBase } from '../formats/concept-base';
import { cropSquare } from '../formats/crop';
import { resize } from '../formats/resize';
import { fromTensor, toTensor } from '../formats/tensor';
import { learn } from '../personalization/learn';
import { checkLearnOptions } from '../personalization/method';
import { personalizationMethods } from '../personalization/methods';
import { conceptOf, type LearnRequest as TrainingRequest } from '../personalization/plan';
import type { Checkpoint } from '../training/loop';
import { AppError } from '../util/errors';
import { decodeCheckpoint } from './checkpoint-file';
import { SAMPLE_STEPS, sampleConcept } from './concept-sample';
import type { LearnEvent, LearnRequest } from './events';
import type { EngineHost } from './host';
import type { LearnControls } from './learn-controls';
import { createLearnStore } from './learn-store';
import { inBestPrecision, type LoadModel } from './precision';
import { PreviewBudget } from './preview-budget';

export interface LearnBase extends ConceptBase {
  readonly license: string;
}

/** Share of the steps' time that samples and checkpoints may take; drawing them takes the page a little more. */
const SHARE = 0.04;
/** Time between checkpoints, ms, at least; longer where writing one takes long. */
const CHECKPOINT_EVERY = 15_000;
/** A checkpoint may take this part of the time since the last. */
const CHECKPOINT_SHARE = 0.01;
/** Network steps per picture of the class: more make no better examples of what a class looks like. */
const PRIOR_STEPS = 20;

/**
 * Learn a concept, from request to stored concept file. Cancelled, it ends within one network call, after a last
 * checkpoint if a step was done; finished early, with what was learned so far as its result.
 *
 * @param load  the model in the precision asked for; called again in float32 when half precision overflows
 * @throws AppError BAD_REQUEST for a request that cannot run; TOO_BIG; UNSUPPORTED_MODEL; NUMERIC; STORAGE_FULL
 */
export async function* learnJob(
  host: EngineHost,
  load: LoadModel,
  base: LearnBase,
  request: LearnRequest,
  controls: LearnControls,
  signal: AbortSignal,
): AsyncGenerator<LearnEvent, void> {
  const method = personalizationMethods[request.method];
  if (!method) throw new AppError('BAD_REQUEST', `there is no learning method called ${request.method}`);
  checkLearnOptions(request.options, method.defaults);
  yield* inBestPrecision(load, request.model, 'learning', (model, loadMs, again) =>
    run(host, model, base, again ? { ...request, resume: null } : request, controls, signal, loadMs),
  );
}

async function* run(
  host: EngineHost,
  model: DiffusionModel,
  base: LearnBase,
  request: LearnRequest,
  controls: LearnControls,
  signal: AbortSignal,
  loadMs: number,
): AsyncGenerator<LearnEvent, void> {
  const { token, classWord, method, seed } = request;
  const { defaults } = personalizationMethods[method]!;
  const options = checkLearnOptions(request.options, defaults);
  const pictures = [];
  for (const { id, square } of request.pictures)
    pictures.push(toTensor(await cropSquare(await host.readImage(id), square, model.size)));
  const training: TrainingRequest = { method, options, pictures, token, classWord, seed };
  const { predictionType } = model.schedule;
  const facts = {
    resolution: model.size,
    predictionType: predictionType === 'v_prediction' ? predictionType : ('epsilon' as const),
    license: base.license,
  };
  const store = createLearnStore(host, base, request, training, facts, controls);
  const resume = request.resume && (await decodeCheckpoint(await host.readBytes(request.resume)));

  const timings: Record<string, number> = { load: loadMs, samples: 0, checkpoints: 0 };
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<[T, number]> => {
    const from = performance.now();
    const value = await work();
    const ms = performance.now() - from;
    timings[name] = (timings[name] ?? 0) + ms;
    return [value, ms];
  };
  const sample = async (at: Checkpoint): Promise<LearnEvent> => {
    const pixels = await sampleConcept(model, conceptOf(training, at.state), seed, signal);
    const image = await host.writeImage(pixels, `${request.name} after ${at.step} steps`);
    return { kind: 'sample', step: at.step, image, pixels };
  };

  const steps = learn(model.parts, training, {
    resize: async (picture, side) => toTensor(await resize(fromTensor(picture), side, side)),
    limits: model.limits,
    sampleEvery: 1,
    priorSteps: PRIOR_STEPS,
    finish: controls.finishing,
    signal,
    ...(resume && { resume }),
  });
  const durations: number[] = [];
  let budget: PreviewBudget | null = null;
  let [sinceCheckpoint, checkpointMs] = [0, 0];
  let stage = 'encode';
  try {
    for (;;) {
      const [next, ms] = await timed(stage, () => steps.next());
      if (next.done) {
        yield* finish(next.value);
        return;
      }
      const event = next.value;
      if (event.kind === 'stage') {
        stage = event.name;
        yield event;
      } else if (event.kind === 'step') {
        durations.push(ms);
        sinceCheckpoint += ms;
        // until the first one is timed: two passes forward of each sampler step, a third of a training step each
        budget ??= new PreviewBudget(SAMPLE_STEPS * ms, SHARE);
        budget.step(ms);
        const { index, total, loss, gradNorm, applied } = event;
        yield { kind: 'step', index, total, metrics: { loss, gradNorm, applied: Number(applied) } };
      } else if (event.kind === 'sample') {
        yield* look(event.index, event.checkpoint);
      }
    }
  } finally {
    // frees the training step, wherever this ended
    await steps.return(null as never);
  }

  /** After a step: checkpoint and sample where they are due, asked for or affordable. */
  async function* look(done: number, take: () => Promise<Checkpoint>): AsyncGenerator<LearnEvent, void> {
    const asked = controls.takeSave();
    const due = sinceCheckpoint >= Math.max(CHECKPOINT_EVERY, checkpointMs / CHECKPOINT_SHARE);
    if (asked || signal.aborted || (due && done < options.steps)) {
      const [kept, ms] = await timed('checkpoints', async () => store.checkpoint(await take()));
      [sinceCheckpoint, checkpointMs] = [0, ms];
      budget?.preview(ms);
      yield { kind: 'checkpoint', ...kept };
      signal.throwIfAborted();
    }
    if (budget?.affordsDecode && done < options.steps) {
      const [event, ms] = await timed('samples', async () => sample(await take()));
      budget.decoded(ms);
      yield event;
    }
  }

  async function* finish(at: Checkpoint): AsyncGenerator<LearnEvent, void> {
    signal.throwIfAborted();
    if (at.step === 0) throw new DOMException('finished before anything was learned', 'AbortError');
    const learned = await store.learned(at);
    yield await sample(at);
    timings.stepMedian = durations.toSorted((a, b) => a - b)[durations.length >> 1] ?? 0;
    timings.overheadShare = budget?.spent ?? 0;
    yield { kind: 'result', value: { learned, total: options.steps, timings } };
  }
}
