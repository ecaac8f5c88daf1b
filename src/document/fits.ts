/** Fits of a document: which one an edit would use, and how they are made. */
import { conceptInUse, targetAsRead } from './concepts';
import type { Document, FitOf, FitSettings, FittedConcept, OptionValue, UnfinishedFit } from './document';
import { likenessOptions } from './likeness';

type Options = Readonly<Record<string, OptionValue>>;

/** Complete options of fitting by method of learning; those of '' for any other. */
export type FitDefaults = Readonly<Record<string, Options>>;

/** Complete options that fit the concept in use, as the person set them; of no concept: the common ones. */
export function fitOptions(doc: Document, defaults: FitDefaults): Options {
  const base = fitBase(doc, defaults);
  const known = Object.entries(doc.fitting.options).filter(([name]) => name in base);
  return { ...base, ...Object.fromEntries(known) };
}

/** The same with nothing set by hand: as likeness has it. */
export function fitBase(doc: Document, defaults: FitDefaults): Options {
  const base = fitDefaults(doc, defaults);
  return { ...base, ...likenessOptions(doc.likeness / 100, { fit: base, edit: {} }).fit };
}

/** What suits the method by which the concept in use was learned. */
export const fitDefaults = (doc: Document, defaults: FitDefaults): Options =>
  defaults[conceptInUse(doc)?.learned?.method ?? ''] ?? defaults[''] ?? {};

/** The fit that an edit of this document wants; null without a photo, a learned concept, or a place for it. */
export function wantedFit(doc: Document, defaults: FitDefaults): FitOf | null {
  const { photo, square, fitting } = doc;
  const learned = conceptInUse(doc)?.learned;
  const targetPrompt = targetAsRead(doc);
  const sourcePrompt = doc.sourcePrompt.trim();
  if (!photo || !square || !learned || !sourcePrompt || !targetPrompt) return null;
  const options = fitOptions(doc, defaults);
  return {
    concept: learned.id,
    model: doc.model,
    photo: photo.id,
    square,
    sourcePrompt,
    targetPrompt,
    options,
    seed: fitting.seed,
  };
}

/** What two of them differ in; none: they are the same fit. */
export function fitDifferences(a: FitOf, b: FitOf): (keyof FitOf)[] {
  const names = [
    'model',
    'concept',
    'photo',
    'square',
    'sourcePrompt',
    'targetPrompt',
    'options',
    'seed',
  ] as const;
  return names.filter((name) => !equal(a[name], b[name]));
}

/** The newest stored fit that is this one; null: it is still to be made. */
export const storedFit = ({ fits }: Document, wanted: FitOf): FittedConcept | null =>
  fits.findLast((fit) => fitDifferences(fit, wanted).length === 0) ?? null;

/** What an edit of this document uses; null: the concept as it was learned. */
export function fitInUse(doc: Document, defaults: FitDefaults): FittedConcept | null {
  const wanted = doc.fitting.on ? wantedFit(doc, defaults) : null;
  return wanted && storedFit(doc, wanted);
}

/** Where an interrupted run of this fit goes on. */
export const unfinishedFit = ({ unfinishedFit: run }: Document, wanted: FitOf): UnfinishedFit | null =>
  run && fitDifferences(run, wanted).length === 0 ? run : null;

export const setFitting = (doc: Document, change: Partial<FitSettings>): Document => ({
  ...doc,
  fitting: { ...doc.fitting, ...change },
});

/** Plain values; records whatever the order of their names. */
function equal(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [one, other] = [a as Options, b as Options];
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}
