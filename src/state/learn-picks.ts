/** What is done with checkpoints: kept, used, tried, given up. */
import { chooseConcept } from '../document/actions';
import { changeConcept, conceptOf } from '../document/concept-edits';
import { endRun, keepCheckpoint, resultOf, unfinishedRun, withLearned } from '../document/concept-learning';
import type { ConceptCheckpoint, Document } from '../document/document';
import { amend, commit, currentDocument } from './document-store';
import { notReady, runEdit } from './edits';
import { spareCheckpoint } from './learning';
import { announce, type Session, session, updateLearning } from './session-store';

/** It outlives its run and is never deleted to make room. */
export function keepLearned(id: string, checkpoint: ConceptCheckpoint): void {
  amend((doc) => changeConcept(doc, id, (it) => keepCheckpoint(it, checkpoint)));
  const { state, learned } = checkpoint;
  const { checkpoints = [] } = session().learning ?? {};
  updateLearning({
    checkpoints: checkpoints.map((it) => (it.learned.id === learned.id ? { ...it, kept: true } : it)),
  });
  if (state) spareCheckpoint(state);
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

/** Edits use what was learned by then; what they used before stays, to go back to. */
export function pickCheckpoint(id: string, checkpoint: ConceptCheckpoint): void {
  const { step, learned } = checkpoint;
  const before = conceptOf(currentDocument(), id)?.learned;
  if (before) keepLearned(id, resultOf(before));
  keepLearned(id, checkpoint);
  commit(`Use step ${step}`, (doc) => changeConcept(doc, id, () => withLearned(learned)));
  announce(`${learned.name} is now as learned at step ${step}.`);
}

/** An interrupted run is given up. @param use  what it had learned is used in edits from now on */
export function endUnfinished(id: string, use: boolean): void {
  const concept = conceptOf(currentDocument(), id);
  const last = concept && unfinishedRun(concept);
  if (!last) return;
  commit(use ? 'Use as is' : 'Discard run', (doc) =>
    changeConcept(doc, id, (it) => ({ ...endRun(it), ...(use && withLearned(last.learned)) })),
  );
  announce(
    use
      ? `${concept.name} is as learned at step ${last.step}.`
      : `What ${concept.name} had begun to learn is discarded.`,
  );
}
