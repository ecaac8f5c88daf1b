import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LpipsNetName } from '../../src/metrics/lpips-nets';
import { AppError } from '../../src/util/errors';
import { type Override, parseOverride, parseSweep, type Sweep } from './settings';
import { METHODS, type Method, TABLES, VARIANTS, type VariantName } from './variants';

export const USAGE = `usage: npm run eval -- --quick | --full --out DIR [--resume] [--table N,…] [--methods M,…] [--pairs N]
         [--sweep [METHOD.]learn|steer|edit.NAME=V1,V2,…]… [--set [METHOD.]learn|steer|edit.NAME=V]…
         [--variants V,…] [--seeds 0,…] [--data DIR] [--model DIR] [--threads N] [--publish]
         [--lpips alex|vgg|squeeze=DIR]… [--clip NAME=DIR]…
       npm run eval -- --concepts --out DIR [--resume] [--methods M,…] …

  --quick      4 concepts, 12 pairs, pictures in the repository
  --full       16 concepts, 70 pairs, drawn by tools/eval/make_data.py into --data (default OUT/data)
  --concepts   how well each method learns five figures, instead of edits
  --sweep      every value in turn, all else as recommended; repeat for more options
  --publish    also write docs/results.md (results-full.md), docs/sweeps.md or docs/concepts.md
  --lpips      folder with the weights as safetensors or .pth; without, LPIPS is not run
  --clip       folder of a further CLIP vision tower, e.g. B/32=DIR
methods:  ${METHODS.join(', ')}
variants: ${Object.keys(VARIANTS).join(', ')}`;

export interface EvalArguments {
  readonly job: 'tables' | 'sweeps' | 'concepts';
  readonly data: string;
  readonly out: string;
  readonly resume: boolean;
  readonly publish: boolean;
  readonly tables: readonly string[];
  /** null: those of the tables */
  readonly methods: readonly Method[] | null;
  /** of sweeps; null: DreamSteerer, or the edit alone where only that is swept */
  readonly variants: readonly VariantName[] | null;
  /** at most this many, from the start of the set */
  readonly pairs: number;
  readonly seeds: readonly number[];
  readonly overrides: readonly Override[];
  readonly sweeps: readonly Sweep[];
  readonly model: string;
  readonly threads: number;
  readonly lpips: ReadonlyMap<LpipsNetName, string>;
  readonly towers: ReadonlyMap<string, string>;
}

const root = join(import.meta.dirname, '../..');

/** @throws AppError BAD_REQUEST in one line */
export function readArguments(argv: readonly string[]): EvalArguments {
  const values = parse(argv);
  const { quick, full, concepts, out } = values;
  if (quick && full) throw wrong('--quick and --full exclude each other');
  if (!quick && !full && !concepts) throw wrong('one of --quick, --full and --concepts is needed');
  if (!out) throw wrong('--out is missing');
  const sweeps = (values.sweep ?? []).map(parseSweep);
  if (concepts && sweeps.length > 0) throw wrong('--concepts sweeps nothing');
  const listed = <T extends string>(
    text: string | undefined,
    known: readonly T[],
    what: string,
  ): T[] | null =>
    text?.split(',').map((name) => {
      const found = known.find((k) => k === name);
      if (!found) throw wrong(`there is no ${what} "${name}"; there are ${known.join(', ')}`);
      return found;
    }) ?? null;
  const whole = (name: string, text: string, least: number): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least) {
      throw wrong(`${name} must be a whole number from ${least}, not "${text}"`);
    }
    return value;
  };
  const folders = (items: readonly string[] | undefined, name: string): [string, string][] =>
    (items ?? []).map((item) => {
      const [, key, folder] = /^([^=]+)=(.+)$/.exec(item) ?? [];
      if (!key || !folder) throw wrong(`${name} takes NAME=DIR, not "${item}"`);
      return [key, folder];
    });
  const nets: readonly LpipsNetName[] = ['alex', 'vgg', 'squeeze'];
  return {
    job: concepts ? 'concepts' : sweeps.length > 0 ? 'sweeps' : 'tables',
    data: values.data ?? (full ? join(out, 'data') : join(root, 'tools/eval/quick')),
    out,
    resume: values.resume ?? false,
    publish: values.publish ?? false,
    tables: listed(values.table, Object.keys(TABLES), 'table') ?? Object.keys(TABLES),
    methods: listed(values.methods, METHODS, 'method'),
    // the names of a literal record
    variants: listed(values.variants, Object.keys(VARIANTS) as VariantName[], 'variant'),
    pairs: values.pairs === undefined ? Number.POSITIVE_INFINITY : whole('--pairs', values.pairs, 1),
    seeds: (values.seeds ?? '0').split(',').map((seed) => whole('--seeds', seed, 0)),
    overrides: (values.set ?? []).map(parseOverride),
    sweeps,
    model: values.model ?? join(root, 'public/models/starter'),
    threads: whole('--threads', values.threads ?? '2', 1),
    lpips: new Map(
      folders(values.lpips, '--lpips').map(([net, folder]) => [
        listed(net, nets, 'LPIPS network')![0]!,
        folder,
      ]),
    ),
    towers: new Map(folders(values.clip, '--clip')),
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const many = { type: 'string', multiple: true } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    quick: flag,
    full: flag,
    concepts: flag,
    resume: flag,
    publish: flag,
    out: text,
    data: text,
    model: text,
    table: text,
    methods: text,
    variants: text,
    pairs: text,
    seeds: text,
    threads: text,
    set: many,
    sweep: many,
    lpips: many,
    clip: many,
  } as const;
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw wrong((error as Error).message);
  }
}

const wrong = (what: string): AppError => new AppError('BAD_REQUEST', what.split('\n')[0]!);
