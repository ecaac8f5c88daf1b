import { AppError } from '../util/errors';
import { readOptions } from '../util/options';
import { editFields } from './fields';
import type { EditMethod, EditOptions } from './methods';

/**
 * Options that suit a model, by kind of edit: under 'all' for every such edit, under a way of learning for those that
 * put in a concept learned so.
 */
export type EditOverrides = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, number | string>>>>>
>;

/** Complete defaults of an edit. @param learnedBy  how the concept was learned that it puts in; '': without one */
export const defaultsOf = (
  { kind, defaults }: EditMethod,
  overrides: EditOverrides,
  learnedBy: string,
): EditOptions => ({ ...defaults, ...overrides[kind]?.all, ...overrides[kind]?.[learnedBy] });

/**
 * Options as a recipe carries them → complete, of the right kind and in range. Options that the recipe lacks, because
 * it was written before there were any, take their defaults.
 *
 * @throws AppError BAD_REQUEST naming the option that is unknown, of the wrong kind or out of range
 */
export function checkOptions<Options extends EditOptions>(
  given: Readonly<Record<string, unknown>>,
  defaults: Options,
): Options {
  const options = readOptions(given, defaults, editFields);
  const { tMin, tMax } = options;
  if (tMin !== undefined && tMax !== undefined && tMin >= tMax) {
    throw new AppError('BAD_REQUEST', 'tMin must be below tMax');
  }
  return options;
}
