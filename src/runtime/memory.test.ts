import { expect, test } from 'vitest';
import { Graph } from '../onnx/graph';
import { add, exp, mul } from '../onnx/ops';
import { checkFits, estimateRun } from './memory';
import { tinyNet } from './tiny-net';

test('the peak of a chain is two values, however long; a skip connection adds one', () => {
  const g = new Graph();
  const x = g.feed('x', [256]);
  let h = exp(g, x);
  const skip = h;
  for (let i = 0; i < 8; i++) h = exp(g, h);
  expect(estimateRun(g, [h]).activations).toBe(2 * 1024);
  expect(estimateRun(g, [add(g, h, skip)]).activations).toBe(3 * 1024);
  expect(estimateRun(g, [mul(g, h, h), skip]).activations).toBe(3 * 1024);
});

test('weights and the largest tensor are counted', () => {
  const { graph, outputs } = tinyNet();
  const estimate = estimateRun(graph, Object.values(outputs));
  expect(estimate.weights).toBe(4 * (54 + 3 + 48));
  expect(estimate.largest).toEqual({ name: 'conv.weight', bytes: 216 });
  expect(() => checkFits(estimate, { total: 10_000, tensor: 216 })).not.toThrow();
  expect(() => checkFits(estimate, { tensor: 215 })).toThrow(/conv\.weight/);
  expect(() => checkFits(estimate, { total: 500 })).toThrow(expect.objectContaining({ code: 'TOO_BIG' }));
});
