import { expect, test } from 'vitest';
import { attention, groupNorm, silu } from '../onnx/composites';
import { Graph, type Value } from '../onnx/graph';
import { reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import { prune } from '../onnx/prune';
import { runOnNode } from '../onnx/run-node';
import { grad } from './grad';
import { gaussian } from './gradcheck';
import type { Recompute } from './remat';

const [CHANNELS, SIDE, HEADS] = [8, 4, 2];

/** Two blocks of convolution and tiled self-attention with a skip past the second, and the gradients of all weights. */
function network(recompute: Recompute, tile?: number) {
  const g = new Graph();
  const x = g.feed('x', [1, CHANNELS, SIDE, SIDE]);
  const weights: Value[] = [];
  const weight = (name: string, shape: readonly number[]): Value => {
    weights.push(g.weight(name, shape));
    return weights.at(-1)!;
  };
  const block = (name: string, h: Value): Value =>
    g.region('block', () => {
      const norm = groupNorm(
        g,
        h,
        weight(`${name}.scale`, [CHANNELS]),
        weight(`${name}.shift`, [CHANNELS]),
        2,
        1e-5,
      );
      const y = op.conv(g, silu(g, norm), weight(`${name}.conv`, [CHANNELS, CHANNELS, 3, 3]), undefined, {
        pads: [1, 1, 1, 1],
      });
      const tokens = reshape(g, y, [SIDE * SIDE, CHANNELS]);
      const [q, k, v] = ['q', 'k', 'v'].map((p) =>
        op.gemm(g, tokens, weight(`${name}.${p}`, [CHANNELS, CHANNELS]), undefined, { transB: true }),
      );
      const mixed = attention(g, q!, k!, v!, { batch: 1, heads: HEADS, ...(tile && { tile }) });
      return op.add(g, h, silu(g, reshape(g, mixed, h.shape)));
    });
  const first = block('a', x);
  const y = op.add(g, block('b', first), first);
  const loss = op.reduceMean(g, op.mul(g, y, y), [0, 1, 2, 3], false);
  const gradients = grad(g, loss, [x, ...weights], { recompute });
  return { g, outputs: [loss, ...gradients] };
}

async function run({ g, outputs }: ReturnType<typeof network>) {
  const normal = gaussian(3);
  const data = Object.fromEntries(
    [...g.feeds, ...g.weights.values()].map((v) => [v.name, normal(v.shape.reduce((a, b) => a * b, 1))]),
  );
  return runOnNode(g, outputs, data);
}

const count = ({ g, outputs }: ReturnType<typeof network>, name: string): number =>
  prune(g, outputs).filter(({ op }) => op === name).length;

const plain = network([]);
const expected = await run(plain);

const cases: [string, Recompute, number | undefined][] = [
  ['blocks', ['block'], undefined],
  ['tiles', ['tile'], 5],
  ['no tiles of several', [], 5],
  ['tiles within blocks', ['block', 'tile'], 4],
];
for (const [label, recompute, tile] of cases) {
  test(`gradients stay the same when ${label} are computed again`, async () => {
    const results = await run(network(recompute, tile));
    for (const [i, values] of results.entries()) {
      const error = Math.max(...values.map((v, j) => Math.abs(v - expected[i]![j]!)));
      expect(error / Math.max(...expected[i]!.map(Math.abs))).toBeLessThan(1e-5);
    }
  });
}

test('a recomputed block runs twice, a tile in it three times', () => {
  expect(count(plain, 'Softmax')).toBe(2);
  expect(count(network(['block']), 'Softmax')).toBe(4);
  expect(count(network(['tile'], 8), 'Softmax')).toBe(2 * 2 * 2);
  expect(count(network(['block', 'tile'], 8), 'Softmax')).toBe(2 * 2 * 3);
});
