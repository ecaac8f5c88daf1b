/** One slider, "Likeness ↔ Keep photo", for the options of fit and edit that trade one for the other. */
import { conceptInUse } from './concepts';
import type { Document, OptionValue } from './document';

type Options = Readonly<Record<string, OptionValue>>;

/** How an option follows the slider: its default times this at 0 and at 1; in between geometrically. */
interface Course {
  readonly atPhoto: number;
  readonly atLikeness: number;
  readonly min: number;
  readonly max: number;
  /** of its field: a form would round what lies between */
  readonly step: number;
}

/** Weight of what holds the look, guided samples (λ_MS, METHOD.md E7) or pictures, and steps, which follow the photo further. */
const fitCourses: Readonly<Record<string, Course>> = {
  modeShift: { atPhoto: 1 / 4, atLikeness: 4, min: 0, max: 10, step: 0.05 },
  references: { atPhoto: 1 / 4, atLikeness: 4, min: 0, max: 10, step: 0.05 },
  steps: { atPhoto: 1.25, atLikeness: 1 / 2, min: 1, max: 1000, step: 1 },
};

/** How far each step of the edit moves, and how tightly it keeps to the subject (METHOD.md E10, A10). */
const editCourses: Readonly<Record<string, Course>> = {
  stepSize: { atPhoto: 1 / 1.5, atLikeness: 1.5, min: 0.001, max: 1, step: 0.001 },
  maskPower: { atPhoto: 2, atLikeness: 1 / 2, min: 0.25, max: 4, step: 0.25 },
};

/**
 * What the slider makes of the defaults: in the middle nothing.
 *
 * | option           | keep photo (0) | likeness (1) | effect                                       |
 * | ---------------- | -------------- | ------------ | -------------------------------------------- |
 * | fit `modeShift`  | ÷ 4            | × 4          | hold the concept's look against the photo    |
 * | fit `references` | ÷ 4            | × 4          | the same, where its pictures hold it         |
 * | fit `steps`      | × 1.25         | ÷ 2          | follow the photo's pose and layout further   |
 * | edit `stepSize`  | ÷ 1.5          | × 1.5        | change more                                  |
 * | edit `maskPower` | × 2            | ÷ 2          | leave more of what is around the subject     |
 *
 * @param likeness  0: keep the photo, 1: look like the concept; beyond is taken as the end
 * @param defaults  of the fit and of the edit method; options that a method lacks are left out
 * @returns  those that differ from the defaults, in the ranges and steps of their fields
 */
export function likenessOptions(
  likeness: number,
  defaults: { readonly fit: Options; readonly edit: Options },
): { readonly fit: Options; readonly edit: Options } {
  const way = 2 * Math.min(1, Math.max(0, likeness)) - 1;
  const follow = (courses: Readonly<Record<string, Course>>, options: Options): Options =>
    Object.fromEntries(
      Object.entries(courses).flatMap(([name, { atPhoto, atLikeness, min, max, step }]) => {
        const value = options[name];
        if (way === 0 || typeof value !== 'number') return [];
        const moved = value * (way < 0 ? atPhoto ** -way : atLikeness ** way);
        const rounded = Number((Math.round(moved / step) * step).toFixed(3));
        const fits = Math.min(max, Math.max(min, rounded));
        return fits === value ? [] : [[name, fits] as const];
      }),
    );
  return { fit: follow(fitCourses, defaults.fit), edit: follow(editCourses, defaults.edit) };
}

type InUse = Pick<Document, 'concepts' | 'concept'>;

/** Complete options of an edit: without a concept, and by how the one in use was learned. */
export interface EditDefaults {
  readonly defaults: Options;
  readonly withConcept: Readonly<Record<string, Options>>;
}

/** What suits an edit that puts in the concept in use. */
export function editDefaults(doc: InUse, { defaults, withConcept }: EditDefaults): Options {
  const concept = conceptInUse(doc);
  if (!concept) return defaults;
  return withConcept[concept.learned?.method ?? concept.method] ?? withConcept[''] ?? defaults;
}

/** The defaults of the edit method as likeness has them; without a concept there is nothing to look like. */
export function editBase(doc: InUse & Pick<Document, 'likeness'>, method: EditDefaults): Options {
  const edit = editDefaults(doc, method);
  return conceptInUse(doc)
    ? { ...edit, ...likenessOptions(doc.likeness / 100, { fit: {}, edit }).edit }
    : edit;
}

/** What was set by hand of the options that follow it gives way. @param likeness  0…100 */
export function setLikeness(doc: Document, likeness: number): Document {
  const { fitting, options } = doc;
  return {
    ...doc,
    likeness,
    options: without(options, editCourses),
    fitting: { ...fitting, options: without(fitting.options, fitCourses) },
  };
}

const without = (options: Options, courses: Readonly<Record<string, Course>>): Options =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !(name in courses)));
