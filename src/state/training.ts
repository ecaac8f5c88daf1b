import type { Remote } from 'comlink';
import type { BlobId } from '../document/document';
import type { Engine } from '../engine/engine';
import type { FitEvent, LearnEvent, TrainingPort } from '../engine/events';
import { AppError } from '../util/errors';
import { stayAwake } from './awake';
import { isAbort, leavesRuins, reportError } from './errors';
import { announce, type Training } from './session-store';
import { engine } from './workers';

export interface TrainingJob<E> {
  readonly start: (api: Remote<Engine>) => PromiseLike<Remote<TrainingPort<E>>>;
  /** what is done by then can be kept: a pause waits for a checkpoint */
  readonly keeps: (stage: Training['stage']) => boolean;
  /** in the order of the events */
  apply(event: E): void | Promise<void>;
  readonly shown: () => Training | null;
  readonly update: (change: Partial<Training>) => void;
}

/** A job that trains, as a person steers it. */
export interface TrainingRun {
  /** never rejects; what failed has been told */
  readonly ended: Promise<'done' | 'stopped' | 'failed'>;
  /** Stop asking for steps once what there is is stored: the engine is free for edits. */
  pause(): void;
  resume(): void;
  /** End after the step in progress; what there is is the result. */
  finish(): void;
  /** End within a step; its last checkpoint stays. */
  cancel(): void;
  /** Never delete this checkpoint to make room, by `state`. */
  keep(state: BlobId): void;
}

/** Start a job that trains. */
export function startTraining<E extends LearnEvent | FitEvent>(job: TrainingJob<E>): TrainingRun {
  const { shown, update } = job;
  const abort = new AbortController();
  const { lost } = engine;
  let port: Promise<Remote<TrainingPort<E>>> | null = null;
  let goOn = (): void => {};

  const save = (): void => {
    void port?.then((it) => it.save()).catch(reportError);
  };
  /** the checkpoint of a pause is stored, a look at it still to come */
  let looks = false;
  const pausesAfter = (event: LearnEvent | FitEvent): boolean => {
    const now = shown();
    if (now?.phase !== 'pausing') return false;
    if (event.kind === 'checkpoint') {
      looks = 'sampled' in event && event.sampled;
      return !looks;
    }
    return event.kind === 'sample' ? looks : !job.keeps(now.stage);
  };
  /** Settles when the person goes on, cancels, or the engine is lost. */
  const resumed = (): Promise<void> =>
    new Promise((resolve) => {
      if (lost.aborted || abort.signal.aborted) return resolve();
      goOn = resolve;
      abort.signal.addEventListener('abort', () => resolve());
      lost.addEventListener('abort', () => resolve());
    });

  async function run(): Promise<'done' | 'stopped' | 'failed'> {
    let awake = stayAwake();
    // a page in the background may be closed without a word
    const onHide = (): void => void (document.hidden && save());
    document.addEventListener('visibilitychange', onHide);
    try {
      const events = engine.run((api) => {
        port = Promise.resolve(job.start(api));
        return port;
      }, abort.signal);
      let done = false;
      for await (const event of events) {
        await job.apply(event);
        done ||= event.kind === 'result';
        if (!pausesAfter(event)) continue;
        update({ phase: 'paused', secondsLeft: null });
        const { step = 0 } = shown() ?? {};
        announce(step > 0 ? `Paused at step ${step}.` : 'Paused.');
        awake();
        await resumed();
        awake = stayAwake();
      }
      return done ? 'done' : 'stopped';
    } catch (error) {
      if (isAbort(error)) return 'stopped';
      reportError(error);
      if (error instanceof AppError && leavesRuins.has(error.code)) engine.terminate();
      return 'failed';
    } finally {
      awake();
      document.removeEventListener('visibilitychange', onHide);
    }
  }

  return {
    ended: run(),
    pause() {
      if (shown()?.phase !== 'running') return;
      update({ phase: 'pausing' });
      announce('Pausing…');
      save();
    },
    resume() {
      if (shown()?.phase !== 'paused') return;
      update({ phase: 'running' });
      announce('Going on.');
      goOn();
    },
    finish() {
      update({ phase: 'finishing' });
      announce('Finishing…');
      void port?.then((it) => it.finish()).catch(reportError);
      goOn();
    },
    cancel() {
      update({ phase: 'cancelling' });
      announce('Stopping…');
      abort.abort();
    },
    keep(state) {
      void port?.then((it) => it.keep(state)).catch(reportError);
    },
  };
}
