/** Arguments of fitting: one flag for every option of steering, from its field. */
import type { OptionValue } from '../../src/document/document';
import { steerFields } from '../../src/steering/options';

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Flag without its dashes → option. */
const FLAGS: ReadonlyMap<string, string> = new Map(
  Object.keys(steerFields).map((name) => [`fit-${kebab(name)}`, name]),
);

export const FIT_ARGUMENTS = {
  fit: { type: 'boolean' },
  'fit-file': { type: 'string' },
  refs: { type: 'string' },
  ...Object.fromEntries([...FLAGS.keys()].map((flag) => [flag, { type: 'string' } as const])),
} as const;

const lines = [...FLAGS].map(([flag, name]) => {
  const field = steerFields[name]!;
  const values = field.choices ? field.choices.join('|') : `${field.min}..${field.max}`;
  return `  ${`--${flag} ${values}`.padEnd(44)} ${field.help}`;
});

export const FIT_USAGE = `--fit           first fits the concept to the photo; writes guided/, the samples that it learns from
--refs DIR      pictures that the concept was learned from, for fits that learn on from them (--fit-references)
--fit-file FILE keeps the fit there, or takes it from there: it must have been made with the same settings
${lines.join('\n')}`;

export interface FitArguments {
  /** what differs from the model's own */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly file: string | null;
  /** folder of the pictures that the concept was learned from */
  readonly refs: string | null;
}

/**
 * @param values  parsed arguments by flag
 * @returns null when there is nothing to fit
 * @throws Error in one line
 */
export function readFitArguments(
  values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>,
): FitArguments | null {
  const given = [...FLAGS].filter(([flag]) => values[flag] !== undefined);
  const named = (flag: 'fit-file' | 'refs'): string | null => {
    const value = values[flag];
    return typeof value === 'string' ? value : null;
  };
  const [file, refs] = [named('fit-file'), named('refs')];
  if (values.fit !== true) {
    const stray = file !== null ? 'fit-file' : refs !== null ? 'refs' : given[0]?.[0];
    if (stray) throw new Error(`--${stray} says how to fit: it goes with --fit`);
    return null;
  }
  if (values.concept === undefined) throw new Error('--fit needs a concept to fit: --concept FILE');
  const options = given.map(([flag, name]) => [name, optionOf(flag, name, String(values[flag]))] as const);
  return { options: Object.fromEntries(options), file, refs };
}

function optionOf(flag: string, name: string, text: string): OptionValue {
  const { choices, min = -Infinity, max = Infinity } = steerFields[name]!;
  if (choices) {
    if (choices.includes(text)) return text;
    throw new Error(`--${flag} is one of ${choices.join(', ')}, not "${text}"`);
  }
  const value = Number(text);
  if (text.trim() !== '' && value >= min && value <= max) return value;
  throw new Error(`--${flag} is a number from ${min} to ${max}, not "${text}"`);
}
