import { AppError } from '../util/errors';
import { type EditOptions, editFields } from './methods';

/**
 * Options as a recipe carries them → complete and in range.
 *
 * @throws AppError BAD_REQUEST naming the option that is unknown, not a number or out of range
 */
export function checkOptions(given: Readonly<Record<string, unknown>>, defaults: EditOptions): EditOptions {
  const unknown = Object.keys(given).find((name) => !(name in editFields));
  if (unknown) throw new AppError('BAD_REQUEST', `there is no option called ${unknown}`);
  const options = { ...defaults, ...given } as Record<string, unknown>;
  for (const [name, { min, max, step }] of Object.entries(editFields)) {
    const value = options[name];
    const whole = step !== 1 || Number.isInteger(value);
    if (typeof value !== 'number' || !(value >= min && value <= max) || !whole) {
      throw new AppError(
        'BAD_REQUEST',
        `${name} must be ${step === 1 ? 'a whole number' : 'a number'} from ${min} to ${max}, not ${JSON.stringify(value)}`,
      );
    }
  }
  const complete = options as unknown as EditOptions;
  if (complete.tMin >= complete.tMax) throw new AppError('BAD_REQUEST', 'tMin must be below tMax');
  return complete;
}
