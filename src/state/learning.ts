import { changeConcept, conceptOf } from '../document/concept-edits';
import {
  endRun,
  putCheckpoint,
  resultOf,
  stillStored,
  unfinishedRun,
  withLearned,
} from '../document/concept-learning';
import { tokenFor } from '../document/concepts';
import type { BlobId, Document } from '../document/document';
import type { LearnEvent, LearnRequest } from '../engine/events';
import { amend, commit, currentDocument, end } from './document-store';
import { engineStarted, startEngine } from './engine';
import { notLearnable, pace, planOf } from './learn-plan';
import { lossLog } from './loss-log';
import { announce, notify, session, setSession, updateLearning } from './session-store';
import { setSettings, settings } from './settings-store';
import { seconds, stepTimer } from './time-left';
import { startTraining, type TrainingRun } from './training';

let running: TrainingRun | null = null;

/** Learn a concept from the start. Never rejects. */
export async function learnConcept(id: string): Promise<void> {
  end();
  const concept = conceptOf(currentDocument(), id);
  const plan = concept && planOf(concept, session());
  const { info } = session();
  if (!concept || !plan || !info || notLearnable(concept, session())) return;
  const name = concept.name.trim();
  await run(id, {
    model: currentDocument().model,
    name,
    token: tokenFor(name, Number(plan.options.vectors ?? 0), info.model.rareWord),
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
  running = startTraining<LearnEvent>({
    start: (api) => api.learn(request),
    // while pictures of the class are made there is nothing to keep
    keeps: (stage) => stage !== 'prior',
    apply: applier(id, request),
    shown: () => session().learning,
    update: updateLearning,
  });
  const ended = await running.ended;
  running = null;
  if (ended === 'done') {
    updateLearning({ phase: 'done', secondsLeft: null });
    announce(`${request.name} is learned, in ${seconds((performance.now() - started) / 1000)}.`);
    return;
  }
  const step = session().learning?.step ?? 0;
  setSession({ learning: null, ...(ended === 'failed' && { failed: 'learning' as const }) });
  announce(
    step === 0
      ? 'Stopped. Nothing was learned yet.'
      : `Learning ${request.name} stopped at step ${step}. What it learned is kept.`,
  );
}

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
        return updateLearning({ checkpoints: [...stillStored(now.checkpoints, dropped), checkpoint] });
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
        updateLearning({ checkpoints: [...now.checkpoints, resultOf(learned)] });
        const stepSeconds = {
          ...settings().stepSeconds,
          [pace(method, options.batch)]: (timings.stepMedian ?? 0) / 1000,
        };
        return setSettings({ stepSeconds });
      }
      default:
    }
  };
}

export const pauseLearning = (): void => running?.pause();
export const resumeLearning = (): void => running?.resume();
export const finishLearning = (): void => running?.finish();
export const cancelLearning = (): void => running?.cancel();

/** Never delete this checkpoint to make room. */
export const spareCheckpoint = (state: BlobId): void => running?.keep(state);

/** After a failure: as soon as the engine is ready, from the last checkpoint if there is one. */
export async function retryLearning(): Promise<void> {
  if (session().engine === 'failed') void startEngine();
  await engineStarted();
  const concept = conceptOf(currentDocument(), session().openConcept);
  if (!concept) return;
  await (concept.unfinished ? resumeConcept(concept.id) : learnConcept(concept.id));
}
