import { parseArgs } from 'node:util';
import type { PresetName } from '../../src/document/document';
import type { BackendName } from '../../src/runtime/capabilities';
import { AppError } from '../../src/util/errors';

export const USAGE = `usage: npm run learn -- --refs DIR --class-word W --out FILE.safetensors
         [--method textual-inversion|dreambooth|dreambooth-lora|custom-diffusion] [--name N] [--token T]
         [--preset quick|balanced|best] [--steps N] [--option NAME=NUMBER]... [--seed N] [--model DIR]
         [--backend node|wasm|webgpu] [--threads N] [--gpu-memory GB] [--samples DIR]
         [--resume CHECKPOINT]
Ctrl-C keeps a checkpoint beside --out; --resume takes it up with the same other arguments.`;

export interface LearnArguments {
  /** folder of pictures */
  readonly refs: string;
  readonly classWord: string;
  readonly out: string;
  readonly method: string;
  readonly name: string;
  /** null: after the name */
  readonly token: string | null;
  readonly preset: PresetName;
  /** what differs from the preset */
  readonly options: Readonly<Record<string, number>>;
  readonly seed: number;
  /** folder of a checkpoint; null: the starter */
  readonly model: string | null;
  readonly backend: BackendName;
  /** of the node backend; null: as many as it likes */
  readonly threads: number | null;
  /** GiB that WebGPU may take; null: as much as the page counts on */
  readonly gpuMemory: number | null;
  readonly samples: string | null;
  readonly resume: string | null;
}

const text = { type: 'string' } as const;
const KNOWN = {
  refs: text,
  'class-word': text,
  out: text,
  method: text,
  name: text,
  token: text,
  preset: text,
  steps: text,
  option: { type: 'string', multiple: true },
  seed: text,
  model: text,
  backend: text,
  threads: text,
  'gpu-memory': text,
  samples: text,
  resume: text,
} as const;

/** @throws AppError BAD_REQUEST in one line */
export function readArguments(argv: readonly string[]): LearnArguments {
  const values = parse(argv);
  const required = (name: 'refs' | 'class-word' | 'out'): string => {
    const value = values[name]?.trim();
    if (!value) throw wrong(`--${name} is missing`);
    return value;
  };
  const whole = (name: 'steps' | 'seed' | 'threads' | 'gpu-memory', least: number): number | null => {
    const given = values[name];
    if (given === undefined) return null;
    const value = Number(given);
    if (given.trim() === '' || !Number.isSafeInteger(value) || value < least)
      throw wrong(`--${name} must be a whole number from ${least}, not "${given}"`);
    return value;
  };
  const [preset, backend] = [values.preset ?? 'balanced', values.backend ?? 'node'];
  if (preset !== 'quick' && preset !== 'balanced' && preset !== 'best')
    throw wrong(`there is no preset "${preset}"`);
  if (backend !== 'node' && backend !== 'wasm' && backend !== 'webgpu')
    throw wrong(`there is no backend "${backend}"`);
  const options: Record<string, number> = {};
  for (const option of values.option ?? []) {
    const [, name, number] = /^(\w+)=(.+)$/.exec(option) ?? [];
    if (!name || !Number.isFinite(Number(number))) throw wrong(`--option takes NAME=NUMBER, not "${option}"`);
    options[name] = Number(number);
  }
  const steps = whole('steps', 1);
  if (steps !== null) options.steps = steps;
  const out = required('out');
  if (!out.endsWith('.safetensors')) throw wrong(`--out must end in .safetensors, not "${out}"`);
  const stem = out.replace(/^.*[/\\]/, '').replace(/\.safetensors$/, '');
  return {
    refs: required('refs'),
    classWord: required('class-word'),
    out,
    method: values.method ?? 'dreambooth-lora',
    name: values.name?.trim() || stem,
    token: values.token?.trim() || null,
    preset,
    options,
    seed: whole('seed', 0) ?? 0,
    model: values.model ?? null,
    backend,
    threads: whole('threads', 1),
    gpuMemory: whole('gpu-memory', 1),
    samples: values.samples ?? null,
    resume: values.resume ?? null,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: KNOWN }).values;
  } catch (error) {
    throw wrong((error as Error).message);
  }
}

const wrong = (what: string): AppError => new AppError('BAD_REQUEST', what.split('\n')[0]!);
