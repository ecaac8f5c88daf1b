import { AppError } from '../util/errors';
import { type EditField, editFields } from './fields';
import type { EditOptions } from './methods';

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
  const unknown = Object.keys(given).find((name) => !(name in defaults));
  if (unknown) throw new AppError('BAD_REQUEST', `there is no option called ${unknown}`);
  const options = { ...defaults, ...given };
  for (const name of Object.keys(defaults)) {
    const wanted = unfit(editFields[name]!, options[name]);
    if (wanted) {
      throw new AppError('BAD_REQUEST', `${name} must be ${wanted}, not ${JSON.stringify(options[name])}`);
    }
  }
  const { tMin, tMax } = options;
  if (tMin !== undefined && tMax !== undefined && tMin >= tMax) {
    throw new AppError('BAD_REQUEST', 'tMin must be below tMax');
  }
  return options;
}

/** What the value should have been, in words; null when it fits. */
function unfit(field: EditField, value: unknown): string | null {
  if ('choices' in field) {
    return field.choices.some((choice) => choice === value) ? null : `one of ${field.choices.join(', ')}`;
  }
  if (!('min' in field)) return typeof value === 'boolean' ? null : 'true or false';
  const { min, max, step } = field;
  const whole = step === 1;
  const fits = typeof value === 'number' && value >= min && value <= max;
  return fits && (!whole || Number.isInteger(value))
    ? null
    : `${whole ? 'a whole number' : 'a number'} from ${min} to ${max}`;
}
