import { promptDiff } from '../util/prompt-diff';
import { conceptInUse, refOf, targetOf } from './concepts';
import {
  type Concept,
  type Document,
  emptyDocument,
  type FitRef,
  type FitSettings,
  type FittedConcept,
  type ImageRef,
  type OptionValue,
  type Recipe,
  type Square,
  type Take,
} from './document';
import { clampSquare, defaultSquare } from './square';

/** The next edit starts from the photo, not from a step of an earlier edit. */
export function leaveBranch(doc: Document): Document {
  const { from: _, ...rest } = doc;
  return rest;
}

/** A new photo: the square starts over and the mask, painted for another photo, goes. Takes stay. */
export const setPhoto = (doc: Document, photo: ImageRef): Document => ({
  ...leaveBranch(doc),
  photo,
  square: defaultSquare(photo),
  mask: null,
  shown: null,
});

/** Clamped to whole pixels inside the photo; without a photo there is no square. */
export const setSquare = (doc: Document, square: Square): Document =>
  doc.photo ? { ...leaveBranch(doc), square: clampSquare(square, doc.photo) } : doc;

/** null: no painted mask, the method finds the subject itself. */
export const setMask = (doc: Document, mask: ImageRef | null): Document => ({ ...doc, mask });

/** A corrected subject belongs to the prompts it was written for, so changing a prompt forgets it. */
export const setPrompts = (
  doc: Document,
  {
    sourcePrompt = doc.sourcePrompt,
    targetPrompt = doc.targetPrompt,
  }: Partial<Pick<Document, 'sourcePrompt' | 'targetPrompt'>>,
): Document => ({ ...doc, sourcePrompt, targetPrompt, subject: null });

/** null or blank: found by word diff. */
export const setSubject = (doc: Document, subject: string | null): Document => ({
  ...doc,
  subject: subject?.trim() ? subject.trim() : null,
});

export const setSeed = (doc: Document, seed: number): Document => ({ ...doc, seed });

/** The base of what comes next; takes, and concepts that were learned on another, stay. */
export const setModel = (doc: Document, model: string): Document => ({ ...leaveBranch(doc), model });

/** Options stay: methods share names for what they share, and unknown ones are left out of the recipe. */
export const setMethod = (doc: Document, method: string): Document => ({ ...doc, method });

export const setOption = (doc: Document, name: string, value: OptionValue): Document => ({
  ...doc,
  options: { ...doc.options, [name]: value },
});

/** Back to the method's defaults, for one option or for all. */
export function resetOptions(doc: Document, name?: string): Document {
  if (name === undefined) return { ...doc, options: {} };
  const { [name]: _, ...options } = doc.options;
  return { ...doc, options };
}

/** A finished or stopped edit becomes a take and is shown. Newest first. */
export const addTake = (doc: Document, take: Take): Document => ({
  ...doc,
  takes: [take, ...doc.takes.filter(({ id }) => id !== take.id)],
  shown: take.id,
});

export const removeTake = (doc: Document, id: string): Document => {
  const takes = doc.takes.filter((take) => take.id !== id);
  return { ...doc, takes, shown: doc.shown === id ? null : doc.shown };
};

/** null or an id that is gone: the photo itself. */
export const showTake = (doc: Document, id: string | null): Document => ({
  ...doc,
  shown: doc.takes.some((take) => take.id === id) ? id : null,
});

export const shownTake = (doc: Document): Take | null =>
  doc.takes.find((take) => take.id === doc.shown) ?? null;

/** A new concept, or a changed one (by id). Newest last. */
export const putConcept = (doc: Document, concept: Concept): Document => {
  const known = doc.concepts.some(({ id }) => id === concept.id);
  const concepts = known
    ? doc.concepts.map((it) => (it.id === concept.id ? concept : it))
    : [...doc.concepts, concept];
  return { ...doc, concepts };
};

/** What was fitted to it goes with it. */
export const removeConcept = (doc: Document, id: string): Document => {
  const concepts = doc.concepts.filter((concept) => concept.id !== id);
  const fits = doc.fits.filter((fit) => concepts.some(({ learned }) => learned?.id === fit.concept));
  return { ...doc, concepts, concept: doc.concept === id ? null : doc.concept, fits };
};

/** A new fit, or one made again: newest last. */
export const addFit = (doc: Document, fit: FittedConcept): Document => ({
  ...doc,
  fits: [...doc.fits.filter(({ key, model }) => key !== fit.key || model !== fit.model), fit],
});

/** null, or an id that is gone: edits use words alone. */
export const chooseConcept = (doc: Document, id: string | null): Document => ({
  ...doc,
  concept: doc.concepts.some((concept) => concept.id === id) ? id : null,
});

/**
 * What determines an edit of this document, complete: the method's defaults are written out.
 *
 * @param fit  of the concept in use to the photo; null: the concept as it was learned
 */
export function recipeOf(
  doc: Document,
  photo: ImageRef,
  defaults: Readonly<Record<string, OptionValue>>,
  subject: string | null,
  fit: FitRef | null = null,
): Recipe {
  const learned = conceptInUse(doc)?.learned;
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, doc.options[name] ?? value]),
  );
  return {
    app: 'DreamSteerer Studio',
    version: 1,
    model: doc.model,
    method: doc.method,
    sourcePrompt: doc.sourcePrompt.trim(),
    targetPrompt: targetOf(doc),
    subject,
    seed: doc.seed,
    options,
    photo: { id: photo.id, width: photo.width, height: photo.height },
    square: doc.square ?? defaultSquare(photo),
    mask: doc.mask?.id ?? null,
    concept: learned ? refOf(learned) : null,
    ...(learned && fit && { fit: { id: fit.id, key: fit.key, options: fit.options, seed: fit.seed } }),
    ...(doc.from && { from: doc.from }),
  };
}

/**
 * Take over a recipe's settings: prompts, subject, method, options and seed; the square too, scaled when the photo at
 * hand is a different size; the concept where the document has it, and how it was fitted.
 *
 * @param mask the recipe's painted mask where it is still stored
 */
export function applyRecipe(doc: Document, recipe: Recipe, mask: ImageRef | null): Document {
  const { method, sourcePrompt, targetPrompt, seed, options, model } = recipe;
  const found = promptDiff(sourcePrompt, targetPrompt).subject;
  const subject = recipe.subject === found ? null : recipe.subject;
  const concept =
    doc.concepts.find(({ learned }) => learned && learned.id === recipe.concept?.id)?.id ?? null;
  const samePhoto = doc.photo?.id === recipe.photo.id;
  const next: Document = {
    ...leaveBranch(doc),
    ...(samePhoto && recipe.from && { from: recipe.from }),
    method,
    sourcePrompt,
    targetPrompt,
    subject,
    seed,
    options,
    model,
    concept,
    fitting: fittingOf(doc, recipe),
    // its options are all written out: there is nothing left for the slider to have moved
    likeness: recipe.concept ? emptyDocument.likeness : doc.likeness,
  };
  if (!doc.photo) return next;
  const scale = doc.photo.width / recipe.photo.width;
  const { x, y, size } = recipe.square;
  const square = clampSquare({ x: x * scale, y: y * scale, size: size * scale }, doc.photo);
  return { ...next, square, mask };
}

/** An edit with a concept says whether it was fitted; one without says nothing. */
function fittingOf({ fitting }: Document, { concept, fit }: Recipe): FitSettings {
  if (!concept) return fitting;
  return fit ? { on: true, options: fit.options, seed: fit.seed } : { ...fitting, on: false };
}
