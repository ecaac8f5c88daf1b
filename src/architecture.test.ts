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

test('every import follows the table of allowed imports', () => {
  const wrong = (readdirSync(root, { recursive: true }) as string[])
    .filter((file) => /\.tsx?$/.test(file) && dirname(file) !== '.')
    .flatMap((file) => {
      const from = file.split(/[\\/]/)[0]!;
      const imports = [
        ...readFileSync(join(root, file), 'utf8').matchAll(
          /^(?:import|export)\s+(type\s)?[^;]*?from '([^']+)'/gm,
        ),
      ];
      return imports.flatMap(([, type, path]) => {
        if (path!.startsWith('node:')) return /\.test\.ts$/.test(file) ? [] : [`${file} imports ${path}`];
        if (!path!.startsWith('.')) return [];
        const to = relative(root, resolve(root, dirname(file), path!)).split(/[\\/]/)[0]!;
        const allowed =
          reach(from).has(to) || (type !== undefined && typesOnly[from]?.some((t) => reach(t).has(to)));
        return allowed ? [] : [`${file} imports ${path}`];
      });
    });
  expect(wrong).toEqual([]);
});
