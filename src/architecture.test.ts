import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/** folder → folders it may import directly; an arrow includes what lies behind it; util is open to all. */
const direct: Record<string, string[]> = {
  util: [],
  document: [],
  onnx: [],
  autodiff: ['onnx'],
  models: ['onnx'],
  runtime: ['onnx'],
  diffusion: ['models', 'runtime'],
  training: ['autodiff', 'diffusion'],
  personalization: ['training'],
  steering: ['personalization'],
  editing: ['training'],
  metrics: ['models', 'runtime'],
  formats: ['document'],
  storage: ['formats'],
  engine: ['document', 'storage', 'formats', 'personalization', 'steering', 'editing', 'metrics'],
  files: ['document', 'storage', 'formats'],
  state: ['document', 'storage'],
  canvas: ['state'],
  ui: ['canvas', 'state'],
};
/** Across the thread boundary the app half sees types only. */
const typesOnly: Record<string, string[]> = {
  state: ['engine', 'files'],
  canvas: ['engine', 'files'],
  ui: ['engine', 'files'],
  engine: ['runtime'],
};

const root = import.meta.dirname;
const reach = (from: string, seen = new Set([from, 'util'])): Set<string> => {
  for (const to of direct[from] ?? []) if (!seen.has(to)) reach(to, seen.add(to));
  return seen;
};

interface Import {
  readonly path: string;
  /** erased by the compiler */
  readonly typeOnly: boolean;
}
const PATTERNS = [
  /^(?:import|export)\s+(?<type>type\s)?[^;]*?from '(?<path>[^']+)'/gm,
  /^import\s+'(?<path>[^']+)'/gm,
  /(?<type>typeof )?\bimport(?:\.meta\.glob)?(?:<[^()]*>)?\(\s*['"`](?<path>[^'"`]+)['"`]/g,
];
/** Whatever brings in another module: import and re-export, for its side effects alone, when it is needed. */
const importsOf = (text: string): readonly Import[] =>
  PATTERNS.flatMap((pattern) =>
    [...text.matchAll(pattern)].map(({ groups }) => ({
      path: groups!.path!,
      typeOnly: groups!.type !== undefined,
    })),
  );

/** @param file  path below src @returns what it may not import */
function forbidden(file: string, text: string): string[] {
  const from = file.split(/[\\/]/)[0]!;
  return importsOf(text).flatMap(({ path, typeOnly }) => {
    if (path.startsWith('node:')) return /\.test\.ts$/.test(file) ? [] : [`${file} imports ${path}`];
    if (!path.startsWith('.')) return [];
    const to = relative(root, resolve(root, dirname(file), path)).split(/[\\/]/)[0]!;
    const allowed = reach(from).has(to) || (typeOnly && typesOnly[from]?.some((t) => reach(t).has(to)));
    return allowed ? [] : [`${file} imports ${path}`];
  });
}

test('every import follows the table of allowed imports', () => {
  const wrong = (readdirSync(root, { recursive: true }) as string[])
    .filter((file) => /\.tsx?$/.test(file) && dirname(file) !== '.')
    .flatMap((file) => forbidden(file, readFileSync(join(root, file), 'utf8')));
  expect(wrong).toEqual([]);
});

test.each([
  "import { run } from '../engine/engine';",
  "import {\n  run,\n} from '../engine/engine';",
  "export { run } from '../engine/engine';",
  "import '../engine/engine';",
  "const run = async () => (await import('../engine/engine')).run;",
  'const run = () => import(`../engine/engine`);',
  "const all = import.meta.glob('../engine/*');",
  "const all = import.meta.glob<string>('../engine/*');",
])('the table holds for %s', (line) => {
  expect(forbidden('ui/App.tsx', line)).toHaveLength(1);
  expect(forbidden('engine/host.ts', line)).toEqual([]);
});

test('types alone may cross to the engine', () => {
  for (const line of [
    "import type { Engine } from '../engine/engine';",
    "type Engine = typeof import('../engine/engine');",
  ]) {
    expect(forbidden('ui/App.tsx', line)).toEqual([]);
    expect(forbidden('onnx/graph.ts', line)).toHaveLength(1);
  }
});
