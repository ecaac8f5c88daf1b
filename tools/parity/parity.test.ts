import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runOnNode } from '../../src/onnx/run-node';
import { main } from './main';
import { parity, type RunGraph, relativeError } from './parity';

const root = join(import.meta.dirname, '../..');
const golden = join(root, 'src/models/golden');
const fixtures = join(root, '../shared/fixtures');

const run: RunGraph = (g, outputs, feeds, weights) => runOnNode(g, outputs, new Map([...weights, ...feeds]));

const filesOf = (dir: string): string[] =>
  existsSync(dir) ? readdirSync(dir).filter((name) => /^tiny_.*\.safetensors$/.test(name)) : [];

describe('our graphs agree with the reference library', () => {
  test.each(filesOf(golden))('%s', async (name) => {
    const lines = await parity(name, readFileSync(join(golden, name)), run);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.filter(({ ok }) => !ok)).toEqual([]);
  });

  test.skipIf(!existsSync(fixtures))(
    'on the shared fixtures (skipped without ../shared/fixtures)',
    async () => {
      for (const name of filesOf(fixtures)) {
        const lines = await parity(name, readFileSync(join(fixtures, name)), run, 'forward');
        expect(lines.filter(({ ok }) => !ok)).toEqual([]);
      }
    },
  );
});

test('a single wrong weight is noticed', async () => {
  const bytes = Uint8Array.from(readFileSync(join(golden, 'tiny_taesd.safetensors')));
  const begin = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, begin)));
  const [offset] = header['w.decoder.layers.0.bias'].data_offsets;
  const view = new DataView(bytes.buffer, begin + offset);
  view.setFloat32(0, view.getFloat32(0, true) + 0.01, true);
  const lines = await parity('broken', bytes, run);
  expect(lines.find(({ quantity }) => quantity === 'out.decoded')?.ok).toBe(false);
  expect(lines.find(({ quantity }) => quantity === 'out.latents')?.ok).toBe(true);
});

test('relative error counts NaN and other lengths as infinitely wrong', () => {
  const of = (...values: number[]) => Float32Array.from(values);
  expect(relativeError(of(1, 2.5), of(1, 2))).toBe(0.25);
  expect(relativeError(of(Number.NaN), of(1))).toBe(Number.POSITIVE_INFINITY);
  expect(relativeError(of(1), of(1, 2))).toBe(Number.POSITIVE_INFINITY);
});

describe('the command', () => {
  const command = async (...args: string[]) => {
    const [lines, complaints]: [string[], string[]] = [[], []];
    const status = await main(args, {
      line: (text) => lines.push(text),
      complaint: (text) => complaints.push(text),
    });
    return { status, lines, complaints };
  };

  test.each([
    ['no folder', []],
    ['a folder that does not exist', [join(root, 'no/such/folder')]],
    ['a folder without reference files', [import.meta.dirname]],
    ['an unknown backend', [golden, '--backend', 'abacus']],
    ['an unknown option', [golden, '--fast']],
  ])('given %s explains itself in one line and exits with 2', async (_, args) => {
    const { status, lines, complaints } = await command(...args);
    expect([status, lines, complaints.length]).toEqual([2, [], 1]);
    expect(complaints[0]).toMatch(/^[^\n]*usage: npm run parity[^\n]*$/);
  });

  test('prints one JSON object per quantity and exits with 1 when one is off', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'parity-'));
    try {
      writeFileSync(join(dir, 'tiny_good.safetensors'), readFileSync(join(golden, 'tiny_taesd.safetensors')));
      const good = await command(dir);
      expect(good.status).toBe(0);
      const first = { file: 'tiny_good.safetensors', quantity: 'out.decoded', ok: true };
      expect(JSON.parse(good.lines[0]!)).toMatchObject(first);
      writeFileSync(join(dir, 'tiny_bad.safetensors'), '<html>');
      const bad = await command(dir);
      expect(bad.status).toBe(1);
      const broken = { file: 'tiny_bad.safetensors', relErr: null, ok: false };
      expect(JSON.parse(bad.lines[0]!)).toMatchObject(broken);
      expect(bad.lines.slice(1)).toEqual(good.lines);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
