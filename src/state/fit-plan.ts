import { conceptInUse } from '../document/concepts';
import type { Document, FitOf } from '../document/document';
import { fitDifferences, storedFit, unfinishedFit, wantedFit } from '../document/fits';
import { notReady } from './edits';
import type { Session } from './session-store';

/** The fit that an edit of the document would use; null: none, or not known yet. */
export const wanted = (doc: Document, { info }: Session): FitOf | null =>
  info && wantedFit(doc, info.fitOptions.defaults);

/** Run would fit the concept in use before it edits. */
export function needsFit(doc: Document, now: Session): boolean {
  const of = doc.fitting.on ? wanted(doc, now) : null;
  return of !== null && storedFit(doc, of) === null;
}

/** Why the concept in use cannot be fitted to the photo yet, in words; null when it can. */
export function notFittable(doc: Document, now: Session): string | null {
  if (now.fitting) return 'It is being fitted.';
  if (now.learning && now.learning.phase !== 'done') return 'Finish or cancel learning first.';
  return notReady(doc, now);
}

/** What has changed since the newest fit of this concept to this photo, or of this concept at all, in words. */
const words: Readonly<Record<keyof FitOf, string>> = {
  model: 'another model',
  concept: 'the concept was learned again',
  photo: 'another photo',
  square: 'the square moved',
  sourcePrompt: 'the description changed',
  targetPrompt: 'the wish changed',
  options: 'its settings changed',
  seed: 'its seed changed',
};

export type FitState =
  | { readonly kind: 'to do' }
  | { readonly kind: 'up to date' }
  /** what changed since the newest fit of this document, in words */
  | { readonly kind: 'stale'; readonly since: string }
  | { readonly kind: 'interrupted'; readonly step: number; readonly total: number };

/** How the document stands with the fit that it wants. */
export function fitState(doc: Document, now: Session): FitState {
  const of = wanted(doc, now);
  if (!of) return { kind: 'to do' };
  if (storedFit(doc, of)) return { kind: 'up to date' };
  const run = unfinishedFit(doc, of);
  if (run) return { kind: 'interrupted', step: run.step, total: Number(of.options.steps) };
  const concept = conceptInUse(doc);
  const before = doc.fits.findLast((fit) => fit.concept === concept?.learned?.id) ?? doc.fits.at(-1);
  const [first] = before ? fitDifferences(before, of) : [];
  return first ? { kind: 'stale', since: words[first] } : { kind: 'to do' };
}
