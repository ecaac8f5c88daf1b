import { expect, test } from 'vitest';
import { sizeOf } from '../util/nd-array';
import * as composites from './composites';
import { Graph, type Shape } from './graph';
import * as op from './ops';
import { runOnNode } from './run-node';

const noise = (shape: Shape, seed: number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(seed + 12.9898 * i) * 1.5);

const close = (ours: ArrayLike<number>, reference: ArrayLike<number>, tolerance = 1e-5): void => {
  expect(ours.length).toBe(reference.length);
  for (let i = 0; i < ours.length; i++) expect(Math.abs(ours[i]! - reference[i]!)).toBeLessThan(tolerance);
};

const normalised = (row: readonly number[], eps: number): number[] => {
  const mean = row.reduce((a, b) => a + b) / row.length;
  const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
  return row.map((v) => (v - mean) / Math.sqrt(variance + eps));
};

test('activations take the values of their definitions', async () => {
  const g = new Graph();
  const x = g.feed('x', [5]);
  const outputs = [composites.silu(g, x), composites.quickGelu(g, x), op.gelu(g, x)];
  const points = [-2, -0.5, 0, 1, 3];
  const [silu, quick, gelu] = await runOnNode(g, outputs, { x: points });
  close(
    silu!,
    points.map((v) => v / (1 + Math.exp(-v))),
  );
  close(
    quick!,
    points.map((v) => v / (1 + Math.exp(-1.702 * v))),
  );
  // x·Φ(x) with Φ from tables of the normal distribution
  close(gelu!, [-2 * 0.0227501, -0.5 * 0.3085375, 0, 0.8413447, 3 * 0.9986501]);
});

test('geglu gates the first half of the last axis with the second', async () => {
  const g = new Graph();
  const y = composites.geglu(g, g.feed('x', [2, 2]));
  const [data] = await runOnNode(g, [y], { x: [2, 1, 5, -2] });
  close(data!, [2 * 0.8413447, 5 * -2 * 0.0227501]);
});

test('group norm normalises each group of channels, then scales and shifts each channel', async () => {
  const shape = [2, 4, 3, 2];
  const g = new Graph();
  const [x, weight, bias] = [g.feed('x', shape), g.feed('weight', [4]), g.feed('bias', [4])];
  const data = noise(shape, 0);
  const [w, b] = [
    [1, 2, -1, 0.5],
    [0, 1, 2, 3],
  ];
  const [y] = await runOnNode(g, [composites.groupNorm(g, x, weight, bias, 2, 1e-5)], {
    x: data,
    weight: w,
    bias: b,
  });
  const groups = [0, 1, 2, 3].flatMap((i) => normalised([...data.slice(12 * i, 12 * i + 12)], 1e-5));
  close(
    y!,
    groups.map((v, i) => v * w[Math.floor(i / 6) % 4]! + b[Math.floor(i / 6) % 4]!),
  );
});

test('layer norm normalises the last axis', async () => {
  const g = new Graph();
  const [x, weight, bias] = [g.feed('x', [3, 4]), g.feed('weight', [4]), g.feed('bias', [4])];
  const data = noise([3, 4], 1);
  const [w, b] = [
    [1, 2, -1, 0.5],
    [0, 1, 2, 3],
  ];
  const [y] = await runOnNode(g, [composites.layerNorm(g, x, weight, bias, 1e-5)], {
    x: data,
    weight: w,
    bias: b,
  });
  const rows = [0, 1, 2].flatMap((i) => normalised([...data.slice(4 * i, 4 * i + 4)], 1e-5));
  close(
    y!,
    rows.map((v, i) => v * w[i % 4]! + b[i % 4]!),
  );
});

test('norms of float16 keep float32 statistics', async () => {
  const g = new Graph();
  const x = g.feed('x', [1, 2, 64]);
  const ones = g.constant([1, 1], [2]);
  const zeros = g.constant([0, 0], [2]);
  const half = composites.groupNorm(g, op.cast(g, x, 'float16'), ones, zeros, 1, 1e-5);
  expect(half.dtype).toBe('float16');
  // squares of 300 overflow float16; the values themselves are exact in it
  const data = Float32Array.from({ length: 128 }, (_, i) => (i % 2 === 0 ? 300 : -300));
  const [y] = await runOnNode(g, [op.cast(g, half, 'float32')], { x: data });
  close(y!, data.map(Math.sign), 1e-3);
});

test('attention mixes values by the softmax of scaled products, per head and batch entry, and shows its probabilities', async () => {
  const [batch, heads, queries, keys, width] = [2, 3, 4, 5, 2];
  const channels = heads * width;
  const g = new Graph();
  const feeds = {
    q: noise([batch * queries, channels], 0),
    k: noise([batch * keys, channels], 1),
    v: noise([batch * keys, channels], 2),
  };
  const [q, k, v] = [
    g.feed('q', [batch * queries, channels]),
    g.feed('k', [batch * keys, channels]),
    g.feed('v', [batch * keys, channels]),
  ];
  let seen = q;
  const onProbs = (probs: typeof q) => {
    seen = probs;
    return probs;
  };
  const y = composites.attention(g, q, k, v, { batch, heads, onProbs });
  expect(seen.shape).toEqual([batch, heads, queries, keys]);
  const [data, probs] = await runOnNode(g, [y, seen], feeds);

  const at = (name: 'q' | 'k' | 'v', b: number, n: number, h: number, i: number): number =>
    feeds[name][(b * (name === 'q' ? queries : keys) + n) * channels + h * width + i]!;
  const expected = new Float32Array(batch * queries * channels);
  const expectedProbs: number[] = [];
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let n = 0; n < queries; n++) {
        const scores = Array.from({ length: keys }, (_, m) => {
          let sum = 0;
          for (let i = 0; i < width; i++) sum += at('q', b, n, h, i) * at('k', b, m, h, i);
          return Math.exp(sum / Math.sqrt(width));
        });
        const total = scores.reduce((a, c) => a + c);
        scores.forEach((s, m) => {
          expectedProbs.push(s / total);
          for (let i = 0; i < width; i++)
            expected[(b * queries + n) * channels + h * width + i]! += (s / total) * at('v', b, m, h, i);
        });
      }
  close(data!, expected);
  close(probs!, expectedProbs);
});

test('pixels become tokens and come back', async () => {
  const g = new Graph();
  const x = g.feed('x', [2, 3, 2, 2]);
  const tokens = composites.toTokens(g, x);
  expect(tokens.shape).toEqual([8, 3]);
  const data = noise(x.shape, 3);
  const [flat, back] = await runOnNode(
    g,
    [tokens, op.mul(g, composites.fromTokens(g, tokens, x.shape), op.scalar(g, 2))],
    { x: data },
  );
  expect([...flat!.slice(0, 3)]).toEqual([data[0], data[4], data[8]]);
  expect([...back!]).toEqual([...data.map((v) => 2 * v)]);
});
