import type { DiffusionModel } from '../diffusion/model';
import { cropSquare } from '../formats/crop';
import { resize } from '../formats/resize';
import { fromTensor, toTensor } from '../formats/tensor';
import { learn } from '../personalization/learn';
import { checkLearnOptions, fillTemplate, templatesOf } from '../personalization/method';
import { personalizationMethods } from '../personalization/methods';
import { conceptOf, type LearnRequest as TrainingRequest } from '../personalization/plan';
import type { Checkpoint } from '../training/loop';
import { AppError } from '../util/errors';
import { decodeCheckpoint, type StoredCheckpoint } from './checkpoint-file';
import { CheckpointClock } from './checkpoints';
import { sampleConcept } from './concept-sample';
import type { LearnEvent, LearnRequest } from './events';
import type { EngineHost } from './host';
import { createLearnStore, type LearnBase } from './learn-store';
import { inBestPrecision, type LoadModel } from './precision';
import type { RunControls } from './run-controls';
import { SampleClock } from './sample-clock';
import { Timings } from './timings';

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
  controls: RunControls,
  signal: AbortSignal,
): AsyncGenerator<LearnEvent, void> {
  const method = personalizationMethods[request.method];
  if (!method) throw new AppError('BAD_REQUEST', `there is no learning method called ${request.method}`);
  checkLearnOptions(request.options, method.defaults);
  const resume =
    request.resume === null ? null : await decodeCheckpoint(await host.readBytes(request.resume));
  yield* inBestPrecision(load, request.model, 'learning', resume, (model, loadMs, from) =>
    run(host, model, base, request, from, controls, signal, loadMs),
  );
}

async function* run(
  host: EngineHost,
  model: DiffusionModel,
  base: LearnBase,
  request: LearnRequest,
  resume: StoredCheckpoint | null,
  controls: RunControls,
  signal: AbortSignal,
  loadMs: number,
): AsyncGenerator<LearnEvent, void> {
  const { token, classWord, method, seed } = request;
  const row = personalizationMethods[method]!;
  const options = checkLearnOptions(request.options, row.defaults);
  const template = templatesOf(row, options)[0]!;
  const pictures = [];
  for (const { id, square } of request.pictures)
    pictures.push(toTensor(await cropSquare(await host.readImage(id), square, model.size)));
  const training: TrainingRequest = { method, options, pictures, token, classWord, seed };
  const store = createLearnStore(host, model, base, request, training, controls);

  const timings = new Timings({ load: loadMs, samples: 0, checkpoints: 0 });
  const sample = async (at: Checkpoint): Promise<LearnEvent> => {
    const concept = conceptOf(training, at.state);
    const prompt = fillTemplate(template, concept.subject);
    const pixels = await sampleConcept(model, concept, prompt, seed, signal);
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
  const clock = new CheckpointClock();
  const samples = new SampleClock(options.steps);
  let stage = 'encode';
  try {
    for (;;) {
      const [next, ms] = await timings.of(stage, () => steps.next());
      if (next.done) {
        yield* finish(next.value);
        return;
      }
      const event = next.value;
      if (event.kind === 'stage') {
        stage = event.name;
        yield event;
      } else if (event.kind === 'step') {
        timings.step(ms);
        clock.step(ms);
        samples.step(ms);
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
    const sampled = samples.due(done, asked);
    if (asked || signal.aborted || (clock.due && done < options.steps)) {
      const [kept, ms] = await timings.of('checkpoints', async () => store.checkpoint(await take()));
      clock.written(ms);
      yield { kind: 'checkpoint', ...kept, sampled };
      signal.throwIfAborted();
    }
    if (sampled) {
      const [event, ms] = await timings.of('samples', async () => sample(await take()));
      samples.shown(done, ms);
      yield event;
    }
  }

  async function* finish(at: Checkpoint): AsyncGenerator<LearnEvent, void> {
    signal.throwIfAborted();
    if (at.step === 0) throw new DOMException('finished before anything was learned', 'AbortError');
    const learned = await store.learned(at);
    yield await sample(at);
    const { all } = timings;
    const overheadShare = (all.samples! + all.checkpoints!) / all.learn!;
    yield { kind: 'result', value: { learned, total: options.steps, timings: { ...all, overheadShare } } };
  }
}
