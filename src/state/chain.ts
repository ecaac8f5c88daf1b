import { conceptOf } from '../document/concept-edits';
import { unfinishedRun } from '../document/concept-learning';
import { conceptInUse } from '../document/concepts';
import type { Document } from '../document/document';
import { currentDocument } from './document-store';
import { notReady, runEdit, stopEdit } from './edits';
import { engineStarted, startEngine } from './engine';
import { needsFit, notFittable } from './fit-plan';
import { cancelFitting, fitConcept } from './fitting';
import { notLearnable } from './learn-plan';
import { cancelLearning, learnConcept, resumeConcept } from './learning';
import { announce, type Session, session, setSession } from './session-store';

/** Why Run cannot start yet, in words; null when it can. */
export function notRunnable(doc: Document, now: Session): string | null {
  if (now.chain) return 'It is running.';
  const concept = conceptInUse(doc);
  if (concept && !concept.learned) return notLearnable(concept, now) ?? notReady(doc, now, true);
  return needsFit(doc, now) ? notFittable(doc, now) : notReady(doc, now);
}

/**
 * Everything that is missing for an edit of the document, then the edit: learn the concept in use, fit it to the photo,
 * edit. Never rejects.
 */
export async function runChain(): Promise<void> {
  if (notRunnable(currentDocument(), session())) return;
  setSession({ chain: true });
  try {
    if ((await learned()) && (await fitted())) await runEdit();
  } finally {
    setSession({ chain: false });
  }
}

async function learned(): Promise<boolean> {
  const concept = conceptInUse(currentDocument());
  if (!concept || concept.learned) return true;
  await (unfinishedRun(concept) ? resumeConcept(concept.id) : learnConcept(concept.id));
  if (conceptOf(currentDocument(), concept.id)?.learned) return true;
  failedIn('learning');
  return false;
}

async function fitted(): Promise<boolean> {
  if (!needsFit(currentDocument(), session())) return true;
  if (!(await fitConcept())) {
    failedIn('fitting');
    return false;
  }
  if (!needsFit(currentDocument(), session())) return true;
  // an edit of what nobody has fitted would be another one than was asked for
  announce('Photo or words changed meanwhile. Run fits the concept to them.');
  return false;
}

/** What failed in the middle is tried again to its end. */
function failedIn(stage: Session['failed']): void {
  if (session().failed === stage) setSession({ failed: 'chain' });
}

/** After a failure: as soon as the engine is ready, from where it stopped. */
export async function retryChain(): Promise<void> {
  if (session().engine === 'failed') void startEngine();
  await engineStarted();
  await runChain();
}

/** End whatever Run is doing; what can be kept is kept. */
export function stopChain(): void {
  const { edit, fitting, learning, chain } = session();
  if (edit) stopEdit();
  else if (fitting) cancelFitting();
  else if (chain && learning) cancelLearning();
}
