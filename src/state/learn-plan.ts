/** What Learn would run, and whether it can. */
import { type LearnPlan, learnPlan } from '../document/concept-learning';
import type { Concept } from '../document/document';
import type { LearnMethodInfo } from '../engine/events';
import { type Session, session } from './session-store';
import { settings } from './settings-store';

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
  if (now.fitting) return 'A concept is being fitted.';
  if (concept.pictures.length === 0) return 'Add pictures of it.';
  if (!concept.name.trim()) return 'Give it a name.';
  if (!concept.classWord.trim()) return 'Say what it is: a cat, a mug, a teapot.';
  if (now.engine === 'failed') return 'The engine did not start.';
  if (now.engine === 'restarting') return 'The engine is starting again.';
  if (!now.info) return 'The engine is starting.';
  if (now.noModel) return now.noModel;
  if (!learnMethodOf(concept, now)) return 'It was learned elsewhere and has no pictures to learn from.';
  return null;
}

/** What decides how long a step takes, on one computer. */
export const pace = (method: string, batch: unknown): string =>
  [session().info?.capabilities.backend, session().info?.model.id, method, batch].join(' ');

/** s that a run of this plan takes, from runs before on this computer; null when there was none. */
export function secondsFor({ method }: Concept, { options, steps }: LearnPlan): number | null {
  const each = settings().stepSeconds[pace(method, options.batch)];
  return each === undefined ? null : each * steps;
}
