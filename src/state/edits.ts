import { addTake, recipeOf } from '../document/actions';
import { conceptInUse, subjectOf, targetAsRead, targetOf } from '../document/concepts';
import type { Concept, Document, ImageRef, Recipe, Take } from '../document/document';
import { fitInUse } from '../document/fits';
import { editBase } from '../document/likeness';
import type { EditEvent, EditMethodInfo, EditResult } from '../engine/events';
import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';
import { stayAwake } from './awake';
import { amend, currentDocument, end, inOrder } from './document-store';
import { engineStarted, startEngine } from './engine';
import { isAbort, leavesRuins, reportError } from './errors';
import { livePreview } from './live-preview';
import { photoSquare } from './pictures';
import {
  announce,
  closeLearned,
  notify,
  type Session,
  session,
  setSession,
  updateEdit,
} from './session-store';
import { seconds, stepTimer } from './time-left';
import { engine } from './workers';

/** Side of the live picture, px: twice what the starter model makes. */
const previewSide = 256;

/** Every step stays: to look at, to keep, to go on from. */
const record = { frames: true, directions: true } as const;

/** After this long without an answer, "Stop now" is offered, ms. */
const patience = 5000;

export const methodOf = (doc: Document, { info }: Session): EditMethodInfo | null =>
  info?.methods.find(({ name }) => name === doc.method) ?? null;

/** A target prompt that has a place for a concept. */
export const exampleOf = ({ name }: Concept): string => `a photo of ${name || 'it'} on a beach`;

/**
 * Why an edit cannot run yet, in words; null when it can.
 *
 * @param willLearn  the concept in use is learned before
 */
export function notReady(doc: Document, now: Session, willLearn = false): string | null {
  if (now.edit) return 'An edit is running.';
  if (!doc.photo) return 'Open a photo to begin.';
  if (!doc.sourcePrompt.trim()) return 'Say what the photo shows.';
  const concept = conceptInUse(doc);
  if (concept && !concept.learned && !willLearn)
    return `${concept.name || 'The concept'} is not learned yet.`;
  if (!targetOf(doc)) return 'Say what it should change to.';
  const read = targetAsRead(doc);
  if (read === null && concept)
    return `In “Change to”, say where ${concept.name || 'it'} goes, such as “${exampleOf(concept)}”.`;
  if (doc.sourcePrompt.trim() === read) return 'The two descriptions are the same.';
  if (now.engine === 'failed') return 'The engine did not start.';
  if (now.engine === 'restarting') return 'The engine is starting again.';
  if (!now.info) return 'The engine is starting.';
  if (now.noModel) return now.noModel;
  if (now.info.model.id !== doc.model) return 'The model is being opened.';
  if (!methodOf(doc, now)) return `The method “${doc.method}” is not known here.`;
  return null;
}

/** What an edit of the document would be. @param method  the document's */
export const recipeNow = (doc: Document, photo: ImageRef, method: EditMethodInfo): Recipe =>
  recipeOf(
    doc,
    photo,
    editBase(doc, method),
    subjectOf(doc),
    fitInUse(doc, session().info?.fitOptions.defaults ?? {}),
  );

let abort: AbortController | null = null;

/**
 * Run an edit of the document as it is now; its result becomes a take. Never rejects.
 *
 * @param change  what this edit alone is to do otherwise
 */
export async function runEdit(change: (doc: Document) => Document = (doc) => doc): Promise<void> {
  end();
  await inOrder(() => {});
  const doc = change(currentDocument());
  const method = methodOf(doc, session());
  if (notReady(doc, session()) || !doc.photo || !method) return;
  const recipe = recipeNow(doc, doc.photo, method);
  closeLearned();
  const running = new AbortController();
  abort = running;
  const started = performance.now();
  setSession({
    edit: {
      photo: recipe.photo.id,
      square: recipe.square,
      stage: 'queued',
      fraction: null,
      step: 0,
      total: Number(recipe.options.steps ?? 0),
      secondsLeft: null,
      preview: null,
      stopping: 'no',
    },
  });
  announce('Editing started.');
  const awake = stayAwake();
  const apply = applier(recipe);
  let result: EditResult | null = null;
  let failed = false;
  let forced = false;
  try {
    for await (const event of engine.run((api) => api.edit({ recipe, record }), running.signal)) {
      if (event.kind === 'result') result = event.value;
      else await apply(event);
    }
  } catch (error) {
    // late is not forced: an edit that was asked to stop and did so slowly ends with AbortError like any other
    forced = !isAbort(error) && session().edit?.stopping === 'overdue';
    failed = !isAbort(error) && !forced;
    if (failed) reportError(error);
    // what is left of the device or of the memory is of no use: the next edit gets a fresh worker
    if (error instanceof AppError && leavesRuins.has(error.code)) engine.terminate();
  }
  if (result) amend((now) => addTake(now, takeOf(result)));
  abort = null;
  awake();
  setSession({ edit: null, ...(failed && { failed: 'edit' as const }) });
  if (failed) announce('The edit did not finish.');
  else if (forced) announce('Stopped at once. The engine starts again.');
  else if (!result) announce('Stopped. There was nothing to keep yet.');
  else if (result.stopped)
    announce(`Stopped at ${result.steps} of ${stepsAsked(result)}. The result so far is kept.`);
  else announce(`Done in ${seconds((performance.now() - started) / 1000)}.`);
}

export const stepsAsked = ({ recipe, steps }: Pick<Take, 'recipe' | 'steps'>): number =>
  Number(recipe.options.steps ?? steps);

const takeOf = (result: EditResult): Take => ({
  id: crypto.randomUUID(),
  recipe: result.recipe,
  square: result.square,
  reconstruction: result.reconstruction,
  maskUsed: result.mask,
  steps: result.steps,
  stopped: result.stopped,
  ...(result.frames && { frames: result.frames }),
});

/** Applies the events of one edit, in order, to the session. */
function applier({ photo, square }: Recipe): (event: EditEvent) => Promise<void> {
  const timer = stepTimer();
  // without the photo's pixels the looks are shown as they come
  const live = photoSquare(photo, square, previewSide).then(livePreview, () => (look: Pixels) => look);
  return async (event) => {
    switch (event.kind) {
      case 'stage':
        return updateEdit({ stage: event.name, fraction: event.fraction ?? null });
      case 'step': {
        const step = event.index + 1;
        const secondsLeft = timer.step(step, event.total, performance.now());
        return updateEdit({ stage: 'edit', step, total: event.total, secondsLeft });
      }
      case 'preview': {
        const before = session().edit?.preview;
        const show = await live;
        updateEdit({ preview: await bitmapOf(show(event.pixels, event.quality)) });
        return before?.close();
      }
      case 'notice':
        return notify(null, event.message);
      default:
    }
  };
}

export const bitmapOf = ({ data, width, height }: Pixels): Promise<ImageBitmap> =>
  createImageBitmap(new ImageData(new Uint8ClampedArray(data), width, height));

/** Ask the running edit to end at its next network call and keep what it has. */
export function stopEdit(): void {
  if (!abort || session().edit?.stopping !== 'no') return;
  const asked = abort;
  updateEdit({ stopping: 'asked' });
  announce('Stopping…');
  asked.abort();
  setTimeout(() => {
    if (abort === asked) updateEdit({ stopping: 'overdue' });
  }, patience);
}

/** After a failure: start the engine if that is what failed, and run as soon as it is ready. */
export async function retryEdit(): Promise<void> {
  if (session().engine === 'failed') void startEngine();
  await engineStarted();
  await runEdit();
}
