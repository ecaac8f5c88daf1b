import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import type { WeightSource } from '../runtime/weights';
import { type NdArray, ndArray, sizeOf } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { createLpips, type Lpips } from './lpips';
import type { LpipsNetName } from './lpips-nets';

interface Golden {
  readonly distance: number;
  /** of a torchvision backbone and the heads, by key */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** of the `lpips` package's whole module */
  readonly moduleKeys: readonly string[];
}
const golden: Record<LpipsNetName, Golden> = JSON.parse(
  readFileSync(new URL('./golden/lpips.json', import.meta.url), 'utf8'),
);
const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const picture = (seed: number): NdArray =>
  ndArray(
    createTorchRng(seed)
      .rand(3 * 50 * 70)
      .map((v) => 2 * v - 1),
    [1, 3, 50, 70],
  );

/** The weights of tools/oracle/make_lpips.py. */
function start(name: string, shape: readonly number[]): NdArray {
  const seed = [...name].reduce((h, c) => (h * 31 + c.charCodeAt(0)) % 2 ** 32, 0);
  const normal = createTorchRng(seed).randn(sizeOf(shape));
  const spread = shape.length > 1 ? 1 / Math.sqrt(sizeOf(shape.slice(1))) : 0.1;
  return ndArray(
    normal.map((v) => (name.startsWith('lin') ? Math.abs(v) : spread * v)),
    shape,
  );
}

/** @param nameOf  our name of a key of the file */
function source(
  shapes: Golden['shapes'],
  keys: readonly string[],
  nameOf = (key: string) => key,
): WeightSource {
  return {
    shapes: new Map(keys.map((key) => [key, shapes[nameOf(key)]!])),
    load: async (key) => start(nameOf(key), shapes[nameOf(key)]!),
  };
}

const opened: Lpips[] = [];
const open = (...args: Parameters<typeof createLpips>): Lpips => {
  opened.push(createLpips(...args));
  return opened.at(-1)!;
};
afterAll(async () => {
  for (const lpips of opened) await lpips.dispose();
});

describe.each(['alex', 'vgg', 'squeeze'] as const)('LPIPS on %s', (name) => {
  const { shapes, moduleKeys, distance } = golden[name];
  const isHead = (key: string) => key.startsWith('lin');
  const keys = Object.keys(shapes);
  const backbone = source(
    shapes,
    keys.filter((key) => !isHead(key)),
  );
  const heads = source(shapes, keys.filter(isHead));

  test('equals the lpips package on a backbone and heads in two files', async () => {
    const lpips = open(name, backend, [backbone, heads]);
    expect(await lpips.distance(picture(1), picture(2))).toBeCloseTo(distance, 5);
    expect(await lpips.distance(picture(2), picture(1))).toBeCloseTo(distance, 5);
    expect(await lpips.distance(picture(1), picture(1))).toBe(0);
  });

  test('reads the whole module too', async () => {
    const nameOf = (key: string) =>
      key.replace(/^net\.slice\d+\./, 'features.').replace(/^lins\.(\d+)\.model\.\d+/, 'lin$1.model.1');
    const kept = moduleKeys.filter((key) => nameOf(key) in shapes);
    expect(kept).toHaveLength(keys.length);
    const lpips = open(name, backend, [source(shapes, kept, nameOf)]);
    expect(await lpips.distance(picture(1), picture(2))).toBeCloseTo(distance, 5);
  });

  test('refuses files without heads, and pictures of two sizes', async () => {
    expect(() => createLpips(name, backend, [backbone])).toThrow(/missing \(lin0\.model\.1\.weight/);
    const small = ndArray(new Float32Array(3 * 64), [1, 3, 8, 8]);
    await expect(open(name, backend, [backbone, heads]).distance(picture(1), small)).rejects.toThrow(
      /cannot be compared/,
    );
  });
});
