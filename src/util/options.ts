import { AppError } from './errors';

/**
 * Range or choices of an option and its effect in plain words; neither range nor choices: a switch. A step of 1 asks for
 * whole numbers. One form and one command-line parser serve every table of these.
 */
export interface OptionField {
  readonly label: string;
  /** one-line effect in plain words */
  readonly help: string;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly choices?: readonly string[];
}

/**
 * Options as a recipe or a command line carries them → complete, of the right kind and in range.
 *
 * @param fields  of every option that `defaults` name
 * @throws AppError BAD_REQUEST naming the option that is unknown, of the wrong kind or out of range
 */
export function readOptions<Options extends object>(
  given: Readonly<Record<string, unknown>>,
  defaults: Options,
  fields: Readonly<Record<string, OptionField>>,
): Options {
  const unknown = Object.keys(given).find((name) => !(name in defaults));
  if (unknown) throw new AppError('BAD_REQUEST', `there is no option called ${unknown}`);
  const options: Record<string, unknown> = { ...defaults, ...given };
  for (const name of Object.keys(defaults)) {
    const wanted = unfit(fields[name]!, options[name]);
    if (wanted) {
      throw new AppError('BAD_REQUEST', `${name} must be ${wanted}, not ${JSON.stringify(options[name])}`);
    }
  }
  return options as Options;
}

/** What the value should have been, in words; null when it fits. */
function unfit({ min, max, step, choices }: OptionField, value: unknown): string | null {
  if (choices) return choices.includes(value as string) ? null : `one of ${choices.join(', ')}`;
  if (min === undefined || max === undefined) return typeof value === 'boolean' ? null : 'true or false';
  const whole = step === 1;
  const fits = typeof value === 'number' && value >= min && value <= max;
  return fits && (!whole || Number.isInteger(value))
    ? null
    : `${whole ? 'a whole number' : 'a number'} from ${min} to ${max}`;
}
