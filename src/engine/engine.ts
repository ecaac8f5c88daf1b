import type { BlobId } from '../document/document';
import { editFields } from '../editing/fields';
import { editMethods } from '../editing/methods';
import { defaultsOf, type EditOverrides } from '../editing/options';
import { readConceptBase } from '../formats/model-folder';
import { fromTensor } from '../formats/tensor';
import { learnFields, presetsOf } from '../personalization/method';
import { personalizationMethods } from '../personalization/methods';
import { type SteerOverrides, steerDefaults, steerFields } from '../steering/options';
import { type PickedFolder, pickedTree } from '../storage/picked-folder';
import { memoizePromise, mutex } from '../util/async';
import type { FileTree } from '../util/byte-source';
import { isFiniteArray, scale } from '../util/nd-array';
import { type StartedJob, startJob } from '../util/rpc';
import { type CheckedModel, checkModel } from './check-model';
import { editJob } from './edit-job';
import type {
  DecodedFrame,
  EditEvent,
  EditMethodInfo,
  EditRequest,
  EngineInfo,
  FitEvent,
  FitInfo,
  FitPort,
  FitRequest,
  FrameRequest,
  JobEvent,
  LearnEvent,
  LearnMethodInfo,
  LearnPort,
  LearnRequest,
  LookEvent,
  LookRequest,
  TrainingPort,
} from './events';
import { fitJob, type KnownFits } from './fit-job';
import { type Frames, openFrames } from './frames';
import type { EngineHost, RunsOn } from './host';
import { learnJob } from './learn-job';
import { type LearningOverrides, loadModel, readModelInfo } from './load-model';
import { lookJob } from './look-job';
import { modelCache } from './model-cache';
import { RunControls } from './run-controls';

/** The API of the engine worker: one request in, one stream of events out. */
export interface Engine {
  /**
   * What runs here, with the edit defaults that suit `model`.
   *
   * @param on  use this backend or none, this much of the card's memory; counts in the first call alone
   * @throws AppError UNSUPPORTED_MODEL, also when no such model is installed; BAD_REQUEST without that backend
   */
  info(model?: string, on?: RunsOn): Promise<EngineInfo>;
  /** Whether a folder is a model that runs here; see `checkModel`. @throws AppError that says why it is not */
  checkModel(folder: PickedFolder): Promise<CheckedModel>;
  /** Free what is loaded of all models but this one, and those that are trained on, once the job in progress has ended. */
  release(keep: string): Promise<void>;
  edit(request: EditRequest): StartedJob<EditEvent>;
  /** A recorded step as a picture, also while a job runs. @throws AppError BAD_REQUEST when it was not recorded; BAD_FILE */
  decodeFrame(request: FrameRequest): Promise<DecodedFrame>;
  /** Where the words of a recipe are attended to in its square. */
  look(request: LookRequest): StartedJob<LookEvent>;
  /** Edits asked for while it runs take their turn between two steps. */
  learn(request: LearnRequest): LearnPort & StartedJob<LearnEvent>;
  /** The same for fitting a concept to a photo. */
  fit(request: FitRequest): FitPort & StartedJob<FitEvent>;
}

/** The engine without the thread boundary: jobs are plain generators. For Node and tests. */
export interface LocalEngine {
  info(model?: string, on?: RunsOn): Promise<EngineInfo>;
  checkModel(tree: FileTree): Promise<CheckedModel>;
  release(keep: string): Promise<void>;
  edit(request: EditRequest, signal: AbortSignal): AsyncGenerator<EditEvent, void>;
  decodeFrame(request: FrameRequest): Promise<DecodedFrame>;
  look(request: LookRequest, signal: AbortSignal): AsyncGenerator<LookEvent, void>;
  learn(request: LearnRequest, signal: AbortSignal, controls?: RunControls): AsyncGenerator<LearnEvent, void>;
  fit(request: FitRequest, signal: AbortSignal, controls?: RunControls): AsyncGenerator<FitEvent, void>;
  dispose(): Promise<void>;
}

export function createLocalEngine(host: EngineHost): LocalEngine {
  let asked: RunsOn | undefined;
  const start = memoizePromise((_: 'backend') => host.startBackend(asked));
  const models = modelCache(async (id, precision) => {
    const [tree, { backend }] = await Promise.all([host.openModel(id), start('backend')]);
    return loadModel(tree, backend, precision);
  });
  const { load } = models;
  /** models that training jobs hold, between their turns too */
  const trained: string[] = [];
  /** the recorded steps looked at last: a person goes through one edit at a time */
  let opened: { readonly id: BlobId; readonly steps: Frames } | null = null;
  /** frames in the making, which take no turn: a model must not be freed under them */
  const decoding = new Set<Promise<DecodedFrame>>();
  const queue = turns();
  const learning = turns();
  const fits: KnownFits = new Map();
  const baseOf = async (id: string) => {
    const tree = await host.openModel(id);
    const [base, { model, steering }] = await Promise.all([readConceptBase(tree), readModelInfo(tree)]);
    return { ...base, license: model.license, steering };
  };
  /** One training job at a time, a turn for each of its events. */
  async function* training<E>(
    model: string,
    job: (base: Awaited<ReturnType<typeof baseOf>>) => AsyncGenerator<E, void>,
  ): AsyncGenerator<E | Queued, void> {
    yield { kind: 'queued' };
    const release = await learning();
    trained.push(model);
    try {
      yield* inTurns(queue, job(await baseOf(model)));
    } finally {
      trained.splice(trained.indexOf(model), 1);
      release();
    }
  }
  const decoded = async ({ model, frames, frame, of = 'picture' }: FrameRequest): Promise<DecodedFrame> => {
    if (opened?.id !== frames) opened = { id: frames, steps: await openFrames(host, frames) };
    const { steps } = opened;
    const gain = of === 'direction' ? await steps.directionGain() : 1;
    const latent = of === 'direction' ? scale(gain, await steps.direction(frame)) : await steps.latent(frame);
    const picture = await (await load(model, 'best')).decode(latent);
    // where half precision overflows, the edit was made in full
    const whole = isFiniteArray(picture) ? picture : await (await load(model, 'float32')).decode(latent);
    return { pixels: fromTensor(whole), gain };
  };
  return {
    async info(model = 'starter', on) {
      asked = on;
      const [{ capabilities }, info] = await Promise.all([
        start('backend'),
        host.openModel(model).then((tree) => readModelInfo(tree)),
      ]);
      return {
        capabilities,
        methods: methodsFor(info.editing),
        learnMethods: learnMethodsFor(info.learning),
        fitOptions: fitOptionsFor(info.steering),
        model: info.model,
      };
    },
    checkModel: async (tree) => checkModel(tree, (await start('backend')).backend),
    async release(keep) {
      const done = await queue();
      await Promise.allSettled(decoding);
      await models.release([keep, ...trained]).finally(done);
    },
    edit: (request, signal) => inOneTurn(queue, signal, editJob(host, load, request, signal)),
    look: (request, signal) => inOneTurn(queue, signal, lookJob(host, load, request, signal)),
    learn: (request, signal, controls = new RunControls()) =>
      training(request.model, (base) => learnJob(host, load, base, request, controls, signal)),
    fit: (request, signal, controls = new RunControls()) =>
      training(request.model, (base) => fitJob(host, load, base, request, fits, controls, signal)),
    decodeFrame(request) {
      const frame = decoded(request).finally(() => decoding.delete(frame));
      decoding.add(frame);
      return frame;
    },
    async dispose() {
      await models.release([]);
      (await start('backend')).backend.dispose();
    },
  };
}

export function createEngine(host: EngineHost): Engine {
  const engine = createLocalEngine(host);
  return {
    info: (model, on) => engine.info(model, on),
    checkModel: (folder) => engine.checkModel(pickedTree(folder)),
    release: (keep) => engine.release(keep),
    decodeFrame: (request) => engine.decodeFrame(request),
    edit: (request) => startJob<EditEvent>((signal) => engine.edit(request, signal), pixelsOf),
    look: (request) => startJob<LookEvent>((signal) => engine.look(request, signal)),
    learn: (request) => training((signal, controls) => engine.learn(request, signal, controls)),
    fit: (request) => training((signal, controls) => engine.fit(request, signal, controls)),
  };
}

/** A training job behind its port. */
function training<E extends LearnEvent | FitEvent>(
  job: (signal: AbortSignal, controls: RunControls) => AsyncGenerator<E, void>,
): TrainingPort<E> & StartedJob<E> {
  const controls = new RunControls();
  return Object.assign(
    startJob<E>((signal) => job(signal, controls), pixelsOf),
    {
      finish: async () => controls.finish(),
      save: async () => controls.save(),
      keep: async (state: BlobId) => controls.keep(state),
    },
  );
}

type Queued = Extract<JobEvent<never>, { kind: 'queued' }>;

function pixelsOf(event: LearnEvent | EditEvent | FitEvent): Transferable[] {
  const pictures = 'pixels' in event ? [event.pixels] : 'pictures' in event ? event.pictures : [];
  return pictures.map(({ data }) => data.buffer as ArrayBuffer);
}

/** The table of methods as plain data, its defaults overridden by what suits the model. */
const methodsFor = (overrides: EditOverrides): readonly EditMethodInfo[] =>
  Object.entries(editMethods).map(([name, method]) => ({
    name,
    label: method.label,
    help: method.help,
    defaults: defaultsOf(method, overrides, ''),
    withConcept: byLearning((learnedBy) => defaultsOf(method, overrides, learnedBy)),
    fields: Object.fromEntries(Object.keys(method.defaults).map((option) => [option, editFields[option]!])),
    branches: method.kind === 'score',
  }));

/** The same for learning: what suits the model is said by method and preset. */
function learnMethodsFor(overrides: LearningOverrides): readonly LearnMethodInfo[] {
  return Object.entries(personalizationMethods).map(([name, method]) => {
    const presets = presetsOf(method, overrides[name]);
    const { label, help } = method;
    return { name, label, help, defaults: presets.balanced, fields: learnFields, presets };
  });
}

/** A job that begins when its turn comes and holds it to its end. */
async function* inOneTurn<E>(
  queue: () => Promise<() => void>,
  signal: AbortSignal,
  job: AsyncGenerator<E, void>,
): AsyncGenerator<E | Queued, void> {
  yield { kind: 'queued' };
  const release = await queue();
  try {
    signal.throwIfAborted();
    yield* job;
  } finally {
    release();
  }
}

/** A value for every way of learning, and under '' one for any other. */
const byLearning = <T>(each: (learnedBy: string) => T): Record<string, T> =>
  Object.fromEntries(['', ...Object.keys(personalizationMethods)].map((name) => [name, each(name)]));

/** The same for fitting: methods that are in no table, those of imported files, have the common defaults. */
const fitOptionsFor = (overrides: SteerOverrides): FitInfo => ({
  fields: steerFields,
  defaults: byLearning((learnedBy) => steerDefaults(learnedBy, overrides)),
});

/** A job that takes a turn for each of its events: between two of them others run, and while nobody asks it holds nothing up. */
async function* inTurns<E>(
  queue: () => Promise<() => void>,
  job: AsyncGenerator<E, void>,
): AsyncGenerator<E, void> {
  try {
    for (;;) {
      const release = await queue();
      const next = await job.next().finally(release);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await job.return();
  }
}

/** One GPU job at a time: resolves with a function that gives the turn to the next. */
function turns(): () => Promise<() => void> {
  const exclusive = mutex();
  return () =>
    new Promise((resolve) => {
      void exclusive(() => new Promise<void>((release) => resolve(release)));
    });
}
