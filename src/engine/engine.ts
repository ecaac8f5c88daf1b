import type { DiffusionModel } from '../diffusion/model';
import type { BlobId } from '../document/document';
import { editFields } from '../editing/fields';
import { editMethods } from '../editing/methods';
import { readConceptBase } from '../formats/model-folder';
import { fromTensor } from '../formats/tensor';
import { learnFields, presetsOf } from '../personalization/method';
import { personalizationMethods } from '../personalization/methods';
import { memoizePromise, mutex } from '../util/async';
import { scale } from '../util/nd-array';
import { type StartedJob, startJob } from '../util/rpc';
import { editJob } from './edit-job';
import type {
  DecodedFrame,
  EditEvent,
  EditRequest,
  EngineInfo,
  FrameRequest,
  JobEvent,
  LearnEvent,
  LearnMethodInfo,
  LearnPort,
  LearnRequest,
  LookEvent,
  LookRequest,
  MethodInfo,
} from './events';
import { type Frames, openFrames } from './frames';
import type { EngineHost } from './host';
import { LearnControls } from './learn-controls';
import { learnJob } from './learn-job';
import { type LearningOverrides, loadModel, type Precision, readModelInfo } from './load-model';
import { lookJob } from './look-job';

/** The API of the engine worker: one request in, one stream of events out. */
export interface Engine {
  /** What runs here, with the edit defaults that suit `model`. */
  info(model?: string): Promise<EngineInfo>;
  edit(request: EditRequest): StartedJob<EditEvent>;
  /** A recorded step as a picture, also while a job runs. @throws AppError BAD_REQUEST when it was not recorded; BAD_FILE */
  decodeFrame(request: FrameRequest): Promise<DecodedFrame>;
  /** Where the words of a recipe are attended to in its square. */
  look(request: LookRequest): StartedJob<LookEvent>;
  /** Edits asked for while it runs take their turn between two steps. */
  learn(request: LearnRequest): LearnPort & StartedJob<LearnEvent>;
}

/** The engine without the thread boundary: jobs are plain generators. For Node and tests. */
export interface LocalEngine {
  info(model?: string): Promise<EngineInfo>;
  edit(request: EditRequest, signal: AbortSignal): AsyncGenerator<EditEvent, void>;
  decodeFrame(request: FrameRequest): Promise<DecodedFrame>;
  look(request: LookRequest, signal: AbortSignal): AsyncGenerator<LookEvent, void>;
  learn(
    request: LearnRequest,
    signal: AbortSignal,
    controls?: LearnControls,
  ): AsyncGenerator<LearnEvent, void>;
  dispose(): Promise<void>;
}

export function createLocalEngine(host: EngineHost): LocalEngine {
  const start = memoizePromise((_: 'backend') => host.startBackend());
  const loaded: Promise<DiffusionModel>[] = [];
  const loader = (precision: Precision) =>
    memoizePromise((id: string) => {
      const model = Promise.all([host.openModel(id), start('backend')]).then(([tree, { backend }]) =>
        loadModel(tree, backend, precision),
      );
      loaded.push(model);
      return model;
    });
  const load: Readonly<Record<Precision, (id: string) => Promise<DiffusionModel>>> = {
    best: loader('best'),
    float32: loader('float32'),
  };
  const loadModelAs = (id: string, precision: Precision): Promise<DiffusionModel> => load[precision](id);
  /** the recorded steps looked at last: a person goes through one edit at a time */
  let opened: { readonly id: BlobId; readonly steps: Frames } | null = null;
  const queue = turns();
  const learning = turns();
  return {
    async info(model = 'starter') {
      const [{ capabilities }, info] = await Promise.all([
        start('backend'),
        host.openModel(model).then((tree) => readModelInfo(tree)),
      ]);
      return {
        capabilities,
        methods: methodsFor(info.editing),
        learnMethods: learnMethodsFor(info.learning),
        models: [info.model],
      };
    },
    edit: (request, signal) => inOneTurn(queue, signal, editJob(host, loadModelAs, request, signal)),
    look: (request, signal) => inOneTurn(queue, signal, lookJob(host, loadModelAs, request, signal)),
    async *learn(request, signal, controls = new LearnControls()) {
      yield { kind: 'queued' };
      const release = await learning();
      try {
        const tree = await host.openModel(request.model);
        const [base, { model }] = await Promise.all([readConceptBase(tree), readModelInfo(tree)]);
        const from = { ...base, license: model.license };
        yield* inTurns(queue, learnJob(host, loadModelAs, from, request, controls, signal));
      } finally {
        release();
      }
    },
    async decodeFrame({ model, frames, frame, of = 'picture' }) {
      if (opened?.id !== frames) opened = { id: frames, steps: await openFrames(host, frames) };
      const { steps } = opened;
      const gain = of === 'direction' ? await steps.directionGain() : 1;
      const latent =
        of === 'direction' ? scale(gain, await steps.direction(frame)) : await steps.latent(frame);
      return { pixels: fromTensor(await (await load.best(model)).decode(latent)), gain };
    },
    async dispose() {
      for (const model of await Promise.allSettled(loaded)) {
        if (model.status === 'fulfilled') await model.value.dispose();
      }
      (await start('backend')).backend.dispose();
    },
  };
}

export function createEngine(host: EngineHost): Engine {
  const engine = createLocalEngine(host);
  return {
    info: (model) => engine.info(model),
    decodeFrame: (request) => engine.decodeFrame(request),
    edit: (request) => startJob<EditEvent>((signal) => engine.edit(request, signal), pixelsOf),
    look: (request) => startJob<LookEvent>((signal) => engine.look(request, signal)),
    learn(request) {
      const controls = new LearnControls();
      const job = startJob<LearnEvent>((signal) => engine.learn(request, signal, controls), pixelsOf);
      return Object.assign(job, {
        finish: async () => controls.finish(),
        save: async () => controls.save(),
        keep: async (state: BlobId) => controls.keep(state),
      });
    },
  };
}

const pixelsOf = (event: LearnEvent | EditEvent): Transferable[] =>
  'pixels' in event ? [event.pixels.data.buffer as ArrayBuffer] : [];

/** The table of methods as plain data, its defaults overridden by what suits the model. */
function methodsFor(overrides: Readonly<Record<string, number>>): readonly MethodInfo[] {
  return Object.entries(editMethods).map(([name, { kind, label, help, defaults }]) => ({
    name,
    label,
    help,
    defaults: kind === 'score' ? { ...defaults, ...overrides } : defaults,
    fields: Object.fromEntries(Object.keys(defaults).map((option) => [option, editFields[option]!])),
  }));
}

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
): AsyncGenerator<E | Extract<JobEvent<never>, { kind: 'queued' }>, void> {
  yield { kind: 'queued' };
  const release = await queue();
  try {
    signal.throwIfAborted();
    yield* job;
  } finally {
    release();
  }
}

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
