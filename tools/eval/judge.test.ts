import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { openBackend } from '../../src/runtime/backend';
import { loadOrtNode } from '../../src/runtime/ort-node';
import { conceptOf, picture, readData, tensor } from './data';
import { type Judge, openJudge } from './judge';
import { classRecogniser } from './recognise';

const data = await readData(join(import.meta.dirname, 'quick'));
let judge: Judge;
beforeAll(async () => {
  judge = await openJudge(await openBackend('node', { load: loadOrtNode, threads: 1 }));
});

test('logits are those of the network as PyTorch trained it, but for half precision', async () => {
  const golden: Record<string, number[]> = JSON.parse(
    await readFile(join(import.meta.dirname, 'golden/judge.json'), 'utf8'),
  );
  for (const [file, expected] of Object.entries(golden)) {
    const logits = await judge.logits(await tensor(data, file, judge.size));
    for (const [i, value] of expected.entries()) expect(Math.abs(logits[i]! - value)).toBeLessThan(0.05);
  }
});

test('it names what true pictures show', async () => {
  const { classOf } = classRecogniser(judge);
  const named = await Promise.all(
    data.pairs.flatMap(({ truth, source, concept, sourceClass }) => [
      picture(data, truth, 128).then(async (p) => (await classOf(p)) === conceptOf(data, concept).class),
      picture(data, source, 128).then(async (p) => (await classOf(p)) === sourceClass),
    ]),
  );
  expect(named.filter(Boolean).length).toBeGreaterThanOrEqual(0.9 * named.length);
});
