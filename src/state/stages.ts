import { outOfDate, unfinishedRun } from '../document/concept-learning';
import { conceptInUse } from '../document/concepts';
import type { Concept, Document } from '../document/document';
import { methodOf, recipeNow } from './edits';
import { fitState } from './fit-plan';
import { planOf } from './learn-plan';
import type { Session, Training } from './session-store';

export interface Stage {
  readonly name: 'learn' | 'fit' | 'edit';
  readonly state: 'to do' | 'up to date' | 'stale' | 'stopped' | 'running' | 'off';
  readonly words: string;
}

/** What Run goes through for the concept in use, and how each stage stands; with words alone there is one stage: none is listed. */
export function stagesOf(doc: Document, now: Session): readonly Stage[] {
  const concept = conceptInUse(doc);
  if (!concept) return [];
  return [
    { name: 'learn', ...learnStage(concept, now) },
    { name: 'fit', ...fitStage(doc, now) },
    { name: 'edit', ...editStage(doc, now) },
  ];
}

type State = Omit<Stage, 'name'>;

const trainingWords = ({ phase, step, total }: Training): string =>
  step === 0 ? phase : `${phase === 'paused' ? 'paused, ' : ''}${step} of ${total}`;

function learnStage(concept: Concept, now: Session): State {
  const { learning } = now;
  if (learning?.concept === concept.id && learning.phase !== 'done') {
    return { state: 'running', words: trainingWords(learning) };
  }
  const last = unfinishedRun(concept);
  if (last) return { state: 'stopped', words: `stopped at step ${last.step}` };
  if (!concept.learned) return { state: 'to do', words: 'to do' };
  if (outOfDate(concept, planOf(concept, now))) return { state: 'stale', words: 'changed since' };
  return { state: 'up to date', words: 'up to date' };
}

function fitStage(doc: Document, now: Session): State {
  if (now.fitting) return { state: 'running', words: trainingWords(now.fitting) };
  if (!doc.fitting.on) return { state: 'off', words: 'off' };
  const fit = fitState(doc, now);
  switch (fit.kind) {
    case 'stale':
      return { state: 'stale', words: `out of date: ${fit.since}` };
    case 'interrupted': {
      const { step, total } = fit;
      return {
        state: 'stopped',
        words: step > 0 ? `stopped at step ${step} of ${total}` : 'stopped before step 1',
      };
    }
    default:
      return { state: fit.kind, words: fit.kind };
  }
}

function editStage(doc: Document, now: Session): State {
  if (now.edit) return { state: 'running', words: `${now.edit.step} of ${now.edit.total}` };
  const method = methodOf(doc, now);
  const recipe = doc.photo && method && JSON.stringify(recipeNow(doc, doc.photo, method));
  const done = recipe !== null && doc.takes.some((take) => JSON.stringify(take.recipe) === recipe);
  return done ? { state: 'up to date', words: 'up to date' } : { state: 'to do', words: 'to do' };
}
