import { parseArgs } from 'node:util';
import { type Document, emptyDocument, type OptionValue, type Square } from '../../src/document/document';
import type { BackendName } from '../../src/runtime/capabilities';
import { AppError } from '../../src/util/errors';
import { FIT_ARGUMENTS, FIT_USAGE, type FitArguments, readFitArguments } from './fit-arguments';

export const USAGE = `usage: npm run edit -- --source FILE --source-prompt P --target-prompt P --out DIR
         [--edit sds|dds|dds-s|dds-sm] [--subject WORDS] [--mask FILE] [--square X,Y,SIZE] [--steps N] [--guidance W]
         [--seed N] [--option NAME=VALUE]... [--model DIR] [--backend node|wasm|webgpu] [--gpu-memory GB]
         [--concept FILE [--fit [--fit-file FILE] [--fit-steps N]...]] [--attention] [--directions]
       npm run edit -- --demo --out DIR

--attention   also writes attention/: where every word of both descriptions is attended to, per part of the network and
              size, and all of it on one sheet.png
--directions  also writes directions/: what each step took away from the picture, decoded; even brown is no change
${FIT_USAGE}`;

export interface EditArguments {
  /** null: the demo */
  readonly source: string | null;
  readonly mask: string | null;
  readonly out: string;
  /** folder of a checkpoint; null: the starter */
  readonly model: string | null;
  readonly backend: BackendName;
  /** GiB that WebGPU may take; null: as much as the page counts on */
  readonly gpuMemory: number | null;
  /** concept file of any layout */
  readonly concept: string | null;
  /** null: the concept as it was learned */
  readonly fit: FitArguments | null;
  readonly attention: boolean;
  readonly directions: boolean;
  /** what the arguments say about the edit; anything unsaid is as in an empty document */
  readonly edit: Pick<
    Document,
    'sourcePrompt' | 'targetPrompt' | 'subject' | 'method' | 'options' | 'square'
  > & {
    /** null: unsaid */
    readonly seed: number | null;
  };
}

/** @throws AppError BAD_REQUEST in one line */
export function readArguments(argv: readonly string[]): EditArguments {
  const { values } = parse(argv);
  const required = (name: 'source' | 'source-prompt' | 'target-prompt' | 'out'): string => {
    const value = values[name]?.trim();
    if (!value) throw wrong(`--${name} is missing`);
    return value;
  };
  const backend = values.backend ?? 'node';
  if (backend !== 'node' && backend !== 'wasm' && backend !== 'webgpu')
    throw wrong(`there is no backend "${backend}"`);
  const number = (name: string, text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value)) throw wrong(`${name} must be a number, not "${text}"`);
    return value;
  };
  const options: Record<string, OptionValue> = {};
  for (const option of values.option ?? []) {
    const [, name, text] = /^(\w+)=(.+)$/.exec(option) ?? [];
    if (!name || !text) throw wrong(`--option takes NAME=VALUE, not "${option}"`);
    options[name] = optionValue(text);
  }
  if (values.steps !== undefined) options.steps = number('--steps', values.steps);
  if (values.guidance !== undefined) options.guidanceScale = number('--guidance', values.guidance);
  const given = values['gpu-memory'];
  const gpuMemory = given === undefined ? null : number('--gpu-memory', given);
  if (gpuMemory !== null && gpuMemory < 1) throw wrong(`--gpu-memory must be at least 1, not "${given}"`);
  const seed = values.seed === undefined ? null : number('--seed', values.seed);
  if (seed !== null && (!Number.isSafeInteger(seed) || seed < 0))
    throw wrong(`--seed must be a whole number from 0, not "${values.seed}"`);
  const demo = values.demo ?? false;
  if (demo && values.source !== undefined) throw wrong('--demo and --source exclude each other');
  return {
    source: demo ? null : required('source'),
    mask: values.mask ?? null,
    out: required('out'),
    model: values.model ?? null,
    backend,
    gpuMemory,
    concept: values.concept ?? null,
    fit: refused(() => readFitArguments(values)),
    attention: values.attention ?? false,
    directions: values.directions ?? false,
    edit: {
      sourcePrompt: demo ? (values['source-prompt'] ?? '') : required('source-prompt'),
      targetPrompt: demo ? (values['target-prompt'] ?? '') : required('target-prompt'),
      subject: values.subject ?? null,
      method: values.edit ?? emptyDocument.method,
      seed,
      options,
      square: values.square === undefined ? null : parseSquare(values.square),
    },
  };
}

/** Numbers and switches as what they are, anything else as a word: the method's fields say what it must be. */
function optionValue(text: string): OptionValue {
  if (text === 'true' || text === 'false') return text === 'true';
  return Number.isFinite(Number(text)) ? Number(text) : text;
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  return refused(() =>
    parseArgs({
      args: [...argv],
      options: {
        source: text,
        'source-prompt': text,
        'target-prompt': text,
        subject: text,
        edit: text,
        mask: text,
        square: text,
        steps: text,
        guidance: text,
        seed: text,
        option: { type: 'string', multiple: true },
        model: text,
        backend: text,
        'gpu-memory': text,
        concept: text,
        out: text,
        attention: { type: 'boolean' },
        directions: { type: 'boolean' },
        demo: { type: 'boolean' },
        ...FIT_ARGUMENTS,
      },
    }),
  );
}

/** What a reader of arguments complains about, as our own. */
function refused<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw wrong((error as Error).message);
  }
}

function parseSquare(text: string): Square {
  const [x, y, size, ...rest] = text.split(',').map(Number);
  const whole = [x, y, size].every((v) => Number.isSafeInteger(v) && v! >= 0);
  if (!whole || rest.length > 0) throw wrong(`--square takes X,Y,SIZE in whole pixels, not "${text}"`);
  return { x: x!, y: y!, size: size! };
}

const wrong = (what: string): AppError => new AppError('BAD_REQUEST', what.split('\n')[0]!);
