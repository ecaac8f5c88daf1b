import type { Remote } from 'comlink';
import { chooseConcept } from '../document/actions';
import { changeConcept, conceptOf } from '../document/concept-edits';
import {
  endRun,
  keepCheckpoint,
  type LearnPlan,
  learnPlan,
  putCheckpoint,
  unfinishedRun,
  withLearned,
} from '../document/concept-learning';
import { tokenFor } from '../document/concepts';
import type { Concept, ConceptCheckpoint, Document } from '../document/document';
import type { LearnEvent, LearnMethodInfo, LearnPort, LearnRequest } from '../engine/events';
import { AppError } from '../util/errors';
import { stayAwake } from './awake';
import { amend, commit, currentDocument, end } from './document-store';
import { engineStarted, notReady, runEdit, startEngine } from './edits';
import { isAbort, leavesRuins, reportError } from './errors';
import { lossLog } from './loss-log';
import { announce, notify, type Session, session, setSession, updateLearning } from './session-store';
import { setSettings, settings } from './settings-store';
import { seconds, stepTimer } from './time-left';
import { engine } from './workers';

export const learnMethodOf = ({ method }: Concept, { info }: Session): LearnMethodInfo | null =>
  info?.learnMethods.find(({ name }) => name === method) ?? null;

/** What Learn would run; null until the engine has said what it can do. */
export function planOf(concept: Concept, now: Session): LearnPlan | null {
  const method = learnMethodOf(concept, now);
  return method && learnPlan(concept, method.presets);
}

/** Why a concept cannot be learned yet, in words; null when it can. */
export function notLearnable(concept: Concept, now: Session): string | null {
  if (now.learning && now.learning.phase !== 'done') {
    return now.learning.concept === concept.id ? 'It is being learned.' : 'Another concept is being learned.';
  }
  if (concept.pictures.length === 0) return 'Add pictures of it.';
  if (!concept.name.trim()) return 'Give it a name.';
  if (!concept.classWord.trim()) return 'Say what it is: a cat, a mug, a teapot.';
  if (now.engine === 'failed') return 'The engine did not start.';
  if (now.engine === 'restarting') return 'The engine is starting again.';
  if (!now.info) return 'The engine is starting.';
  if (!learnMethodOf(concept, now)) return 'It was learned elsewhere and has no pictures to learn from.';
  return null;
}

/** What decides how long a step takes, on one computer. */
const pace = (method: string, batch: unknown): string =>
  [session().info?.capabilities.backend, method, batch].join(' ');

/** s that a run of this plan takes, from runs before on this computer; null when there was none. */
export function secondsFor({ method }: Concept, { options, steps }: LearnPlan): number | null {
  const each = settings().stepSeconds[pace(method, options.batch)];
  return each === undefined ? null : each * steps;
}

interface Running {
  readonly abort: AbortController;
  readonly port: Promise<Remote<LearnPort>>;
  /** lets a paused run go on */
  resume: () => void;
}
let running: Running | null = null;

/** Learn a concept from the start. Never rejects. */
export async function learnConcept(id: string): Promise<void> {
  end();
  const concept = conceptOf(currentDocument(), id);
  const plan = concept && planOf(concept, session());
  if (!concept || !plan || notLearnable(concept, session())) return;
  const name = concept.name.trim();
  await run(id, {
    model: concept.model,
    name,
    token: tokenFor(name, Number(plan.options.vectors ?? 0)),
    classWord: concept.classWord.trim(),
    pictures: concept.pictures.map(({ image, square }) => ({ id: image.id, square })),
    method: concept.method,
    options: plan.options,
    seed: concept.seed,
    resume: null,
  });
}

/** Go on with a run that was interrupted, from its last checkpoint. Never rejects. */
export async function resumeConcept(id: string): Promise<void> {
  const concept = conceptOf(currentDocument(), id);
  const from = concept && unfinishedRun(concept);
  if (!from || (session().learning && session().learning?.phase !== 'done')) return;
  const { model, name, token, classWord, pictures, method, options, seed } = from.learned;
  const request = { model, name, token, classWord, pictures, method, options, seed, resume: from.state };
  await run(id, request, from.step);
}

async function run(id: string, request: LearnRequest, from = 0): Promise<void> {
  const abort = new AbortController();
  const { lost } = engine;
  const started = performance.now();
  if (from === 0) lossLog.clear();
  const { samples = [], concept: shown } = session().learning ?? {};
  setSession({
    openConcept: id,
    learning: {
      concept: id,
      phase: 'running',
      stage: 'queued',
      fraction: null,
      step: from,
      total: Number(request.options.steps),
      secondsLeft: null,
      samples: from > 0 && shown === id ? samples : [],
      checkpoints: conceptOf(currentDocument(), id)?.checkpoints ?? [],
    },
  });
  announce(`Learning ${request.name} started.`);
  let awake = stayAwake();
  // a page in the background may be closed without a word
  const onHide = (): void => void (document.hidden && saveCheckpoint());
  document.addEventListener('visibilitychange', onHide);
  const apply = applier(id, request);
  let failed = false;
  let done = false;
  try {
    const events = engine.run((api) => {
      const port = Promise.resolve(api.learn(request));
      running = { abort, port, resume: () => {} };
      return port;
    }, abort.signal);
    for await (const event of events) {
      apply(event);
      done ||= event.kind === 'result';
      if (!pausesAfter(event)) continue;
      updateLearning({ phase: 'paused', secondsLeft: null });
      announce(`Paused at step ${session().learning?.step}.`);
      awake();
      await resumed(lost);
      awake = stayAwake();
    }
  } catch (error) {
    failed = !isAbort(error);
    if (failed) reportError(error);
    if (error instanceof AppError && leavesRuins.has(error.code)) engine.terminate();
  }
  running = null;
  awake();
  document.removeEventListener('visibilitychange', onHide);
  if (done) {
    updateLearning({ phase: 'done', secondsLeft: null });
    announce(`${request.name} is learned, in ${seconds((performance.now() - started) / 1000)}.`);
    return;
  }
  const step = session().learning?.step ?? 0;
  setSession({ learning: null, ...(failed && { failed: 'learning' as const }) });
  announce(
    step === 0
      ? 'Stopped. Nothing was learned yet.'
      : `Learning ${request.name} stopped at step ${step}. What it learned is kept.`,
  );
}

/** A pause waits for the checkpoint that it asked for; before the first step there is nothing to keep. */
const pausesAfter = (event: LearnEvent): boolean =>
  session().learning?.phase === 'pausing' &&
  (event.kind === 'checkpoint' || session().learning?.stage !== 'learn');

/** Settles when the person goes on, cancels, or the engine is lost. */
const resumed = (lost: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (!running || lost.aborted) return resolve();
    running.resume = resolve;
    running.abort.signal.addEventListener('abort', () => resolve());
    lost.addEventListener('abort', () => resolve());
  });

/** Applies the events of one run, in order. */
function applier(id: string, request: LearnRequest): (event: LearnEvent) => void {
  const timer = stepTimer();
  const { method, options } = request;
  return (event) => {
    const now = session().learning;
    if (!now) return;
    switch (event.kind) {
      case 'stage':
        return updateLearning({ stage: event.name, fraction: event.fraction ?? null });
      case 'step': {
        const step = event.index + 1;
        const secondsLeft = timer.step(step, event.total, performance.now());
        lossLog.add(step, event.metrics?.loss ?? Number.NaN);
        return updateLearning({ stage: 'learn', step, total: event.total, secondsLeft });
      }
      case 'sample':
        return updateLearning({ samples: [...now.samples, { step: event.step, image: event.image }] });
      case 'checkpoint': {
        const { checkpoint, dropped } = event;
        amend((doc) => changeConcept(doc, id, (it) => putCheckpoint(it, checkpoint, dropped)));
        const left = now.checkpoints.filter(({ state }) => !dropped.includes(state));
        return updateLearning({ checkpoints: [...left, checkpoint] });
      }
      case 'notice':
        return notify(null, event.message);
      case 'result': {
        const { learned, timings } = event.value;
        const again = conceptOf(currentDocument(), id)?.learned != null;
        amend((doc) => changeConcept(doc, id, endRun));
        const use = (doc: Document): Document => changeConcept(doc, id, () => withLearned(learned));
        // what was learned before is one undo away
        if (again) commit(`Learn ${request.name} again`, use);
        else amend(use);
        const stepSeconds = {
          ...settings().stepSeconds,
          [pace(method, options.batch)]:
            (timings.stepMedian ?? 0) / 1000 / (1 - (timings.overheadShare ?? 0)),
        };
        return setSettings({ stepSeconds });
      }
      default:
    }
  };
}

/** Stop asking for steps once what was learned is stored: the engine is free for edits. */
export function pauseLearning(): void {
  if (session().learning?.phase !== 'running') return;
  updateLearning({ phase: 'pausing' });
  announce('Pausing…');
  saveCheckpoint();
}

export function resumeLearning(): void {
  if (session().learning?.phase !== 'paused') return;
  updateLearning({ phase: 'running' });
  announce('Learning goes on.');
  running?.resume();
}

/** End after the step in progress; what was learned so far is the result. */
export function finishLearning(): void {
  updateLearning({ phase: 'finishing' });
  announce('Finishing…');
  void running?.port.then((port) => port.finish()).catch(reportError);
  running?.resume();
}

/** End within a step; its last checkpoint stays, to resume or to use. */
export function cancelLearning(): void {
  updateLearning({ phase: 'cancelling' });
  announce('Stopping…');
  running?.abort.abort();
}

/** Write a checkpoint after the step in progress, e.g. when the page may be closed soon. */
export function saveCheckpoint(): void {
  if (!running || session().learning?.stage !== 'learn') return;
  void running.port.then((port) => port.save()).catch(reportError);
}

/** It outlives its run and is never deleted to make room. */
export function keepLearned(id: string, checkpoint: ConceptCheckpoint): void {
  amend((doc) => changeConcept(doc, id, (it) => keepCheckpoint(it, checkpoint)));
  const kept = { ...checkpoint, kept: true };
  const { checkpoints = [] } = session().learning ?? {};
  updateLearning({ checkpoints: checkpoints.map((it) => (it.state === kept.state ? kept : it)) });
  void running?.port.then((port) => port.keep(checkpoint.state)).catch(reportError);
}

/** The document with what was learned by then in use. */
const trying =
  (id: string, { learned }: ConceptCheckpoint) =>
  (doc: Document): Document =>
    chooseConcept(
      changeConcept(doc, id, () => withLearned(learned)),
      id,
    );

/** Why the newest checkpoint cannot be tried on the photo, in words; null when it can. */
export function notTriable(doc: Document, now: Session): string | null {
  const last = now.learning?.checkpoints.at(-1);
  if (!now.learning || !last) return 'There is no checkpoint yet.';
  return notReady(trying(now.learning.concept, last)(doc), now);
}

/** An edit of the photo with the newest checkpoint, which is kept: the take belongs to it. */
export async function tryOnPhoto(): Promise<void> {
  const { learning } = session();
  const last = learning?.checkpoints.at(-1);
  if (!learning || !last || notTriable(currentDocument(), session())) return;
  keepLearned(learning.concept, last);
  await runEdit(trying(learning.concept, last));
}

/** Edits use what was learned by then. */
export function pickCheckpoint(id: string, { step, learned }: ConceptCheckpoint): void {
  commit(`Use step ${step}`, (doc) => changeConcept(doc, id, () => withLearned(learned)));
  announce(`${learned.name} is now as learned at step ${step}.`);
}

/** An interrupted run is given up. @param use  what it had learned is used in edits from now on */
export function endUnfinished(id: string, use: boolean): void {
  commit(use ? 'Use as is' : 'Discard run', (doc) =>
    changeConcept(doc, id, (it) => {
      const last = unfinishedRun(it);
      return { ...endRun(it), ...(use && last && withLearned(last.learned)) };
    }),
  );
}

/** After a failure: as soon as the engine is ready, from the last checkpoint if there is one. */
export async function retryLearning(): Promise<void> {
  if (session().engine === 'failed') void startEngine();
  await engineStarted();
  const concept = conceptOf(currentDocument(), session().openConcept);
  if (!concept) return;
  await (concept.unfinished ? resumeConcept(concept.id) : learnConcept(concept.id));
}
