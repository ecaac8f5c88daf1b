import { addFit } from '../document/actions';
import { conceptInUse, subjectOf } from '../document/concepts';
import type { FitOf } from '../document/document';
import { unfinishedFit } from '../document/fits';
import type { FitEvent, FitRequest } from '../engine/events';
import { amend, currentDocument, end } from './document-store';
import { bitmapOf } from './edits';
import { engineStarted, startEngine } from './engine';
import { clearFitLog, logFitStep } from './fit-log';
import { notFittable, wanted } from './fit-plan';
import { announce, closeLearned, notify, session, setSession, updateFitting } from './session-store';
import { seconds, stepTimer } from './time-left';
import { startTraining, type TrainingRun } from './training';

let running: TrainingRun | null = null;

/**
 * Fit the concept in use to the photo, from where an interrupted run of the same fit stopped. Never rejects.
 *
 * @param startOver  forget that run
 * @returns          whether there is a fit now
 */
export async function fitConcept({ startOver = false } = {}): Promise<boolean> {
  end();
  const doc = currentDocument();
  const of = wanted(doc, session());
  const concept = conceptInUse(doc)?.learned;
  if (!of || !concept || notFittable(doc, session())) return false;
  const from = startOver ? null : unfinishedFit(doc, of);
  const { square, photo, sourcePrompt, targetPrompt, options, seed } = of;
  const started = performance.now();
  clearFitLog();
  closeLearned();
  setSession({
    fitting: {
      name: concept.name,
      photo,
      square,
      phase: 'running',
      stage: 'queued',
      fraction: null,
      step: from?.step ?? 0,
      total: Number(options.steps),
      secondsLeft: null,
      preview: null,
    },
  });
  announce(`Fitting ${concept.name} to the photo.`);
  if (!from) amend((now) => ({ ...now, unfinishedFit: null }));
  const request: FitRequest = {
    model: doc.model,
    concept,
    photo: { id: photo, square },
    sourcePrompt,
    targetPrompt,
    subject: subjectOf(doc),
    options,
    seed,
    resume: from?.state ?? null,
    known: doc.fits,
  };
  running = startTraining<FitEvent>({
    start: (api) => api.fit(request),
    // before the guided samples there is nothing to keep
    keeps: (stage) => stage === 'guide' || stage === 'compile' || stage === 'fit',
    apply: applier(of),
    shown: () => session().fitting,
    update: updateFitting,
  });
  const ended = await running.ended;
  running = null;
  const { step = 0, preview } = session().fitting ?? {};
  preview?.close();
  setSession({ fitting: null, ...(ended === 'failed' && { failed: 'fitting' as const }) });
  if (ended === 'done') {
    announce(`${concept.name} is fitted to the photo, in ${seconds((performance.now() - started) / 1000)}.`);
  } else {
    announce(
      currentDocument().unfinishedFit
        ? `Fitting stopped${step > 0 ? ` at step ${step}` : ''}. What was done is kept.`
        : 'Stopped. Nothing was fitted yet.',
    );
  }
  return ended === 'done';
}

/** Applies the events of one run, in order. */
function applier(of: FitOf): (event: FitEvent) => Promise<void> | void {
  const timer = stepTimer();
  const show = async (pixels: Parameters<typeof bitmapOf>[0]): Promise<void> => {
    const before = session().fitting?.preview;
    updateFitting({ preview: await bitmapOf(pixels) });
    before?.close();
  };
  return (event) => {
    switch (event.kind) {
      case 'stage':
        return updateFitting({ stage: event.name, fraction: event.fraction ?? null });
      case 'preview':
        return show(event.pixels);
      case 'guided':
        // one in the place of the photo's square tells more than all of them small
        return show(event.pictures[0]!);
      case 'step': {
        const step = event.index + 1;
        logFitStep(step, event.metrics ?? {});
        const secondsLeft = timer.step(step, event.total, performance.now());
        return updateFitting({ stage: 'fit', step, total: event.total, secondsLeft });
      }
      case 'checkpoint': {
        const { step, state } = event;
        return amend((doc) => ({ ...doc, unfinishedFit: { ...of, step, state } }));
      }
      case 'notice':
        return notify(null, event.message);
      case 'result':
        return amend((doc) => ({ ...addFit(doc, event.value.fit), unfinishedFit: null }));
      default:
    }
  };
}

export const pauseFitting = (): void => running?.pause();
export const resumeFitting = (): void => running?.resume();
export const finishFitting = (): void => running?.finish();
export const cancelFitting = (): void => running?.cancel();

/** After a failure: as soon as the engine is ready, from the last checkpoint if there is one. */
export async function retryFitting(): Promise<void> {
  if (session().engine === 'failed') void startEngine();
  await engineStarted();
  await fitConcept();
}
