import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { encode, requiredInputs } from '../onnx/encode';
import { Graph, type Value } from '../onnx/graph';
import * as op from '../onnx/ops';
import { cases } from './cases';
import { pullback } from './grad';
import { type CompileGraph, type GradCase, gradcheck } from './gradcheck';
import type { Vjp } from './vjp';
import { type VjpTable, vjps, vjpsWith } from './vjps';

const TOLERANCE = 2e-3;
const FLAT = [
  'Ceil',
  'Floor',
  'And',
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'Not',
  'ArgMax',
];

const compile: CompileGraph = async (g, outputs) => {
  const session = await ort.InferenceSession.create(encode(g, outputs), {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
  });
  const { feeds } = requiredInputs(g, outputs);
  return async (data) => {
    const tensors = feeds.map(({ name, shape }) => [name, new ort.Tensor('float32', data[name]!, shape)]);
    const results = await session.run(Object.fromEntries(tensors));
    return outputs.map(({ name }) => results[name]!.data as Float32Array);
  };
};

const check = async (gradCase: GradCase, table: VjpTable): Promise<number> =>
  Math.max(...(await gradcheck(gradCase, compile, table)));

test('every rule has a case that contains its op', () => {
  expect(Object.keys(cases).toSorted()).toEqual(
    Object.keys(vjps)
      .filter((name) => !FLAT.includes(name))
      .toSorted(),
  );
  for (const [name, byName] of Object.entries(cases)) {
    for (const { shapes, f } of Object.values(byName)) {
      const g = new Graph();
      f(g, ...shapes.map((shape, i) => g.feed(`x${i}`, shape)));
      expect(g.nodes.map((node) => node.op)).toContain(name);
    }
  }
});

for (const [name, byName] of Object.entries(cases)) {
  for (const [label, gradCase] of Object.entries(byName)) {
    test(`${name} (${label}) agrees with finite differences`, async () => {
      expect(await check(gradCase, vjps)).toBeLessThan(TOLERANCE);
    });
  }

  test(`a perturbed ${name} is caught`, async () => {
    const tables = perturbed(name);
    expect(tables).not.toHaveLength(0);
    for (const table of tables) {
      const errors = await Promise.all(Object.values(byName).map((gradCase) => check(gradCase, table)));
      expect(Math.max(...errors)).toBeGreaterThan(TOLERANCE);
    }
  });
}

for (const input of ['transposed', 'flipped'] as const) {
  for (const weight of ['taps', 'columns', 'swapped'] as const) {
    test(`convolution gradients agree when written as ${input}, ${weight}`, async () => {
      for (const name of ['Conv', 'ConvTranspose']) {
        for (const gradCase of Object.values(cases[name]!)) {
          expect(await check(gradCase, vjpsWith({ input, weight }))).toBeLessThan(TOLERANCE);
        }
      }
    });
  }
}

/** Tables in which one output of a rule is 5 % too large, for each output that is a gradient of an input. */
function perturbed(name: string): VjpTable[] {
  const rule: Vjp = vjps[name as keyof typeof vjps];
  const gradients = new Set<number>();
  for (const { shapes, f } of Object.values(cases[name]!)) {
    const g = new Graph();
    const xs = shapes.map((shape, i) => g.feed(`x${i}`, shape));
    const y = f(g, ...xs);
    const spy: Vjp = (args) => {
      const dxs = rule(args);
      for (const [i, dx] of dxs.entries()) if (dx && !g.constants.has(args.x[i]!.name)) gradients.add(i);
      return dxs;
    };
    pullback(g, [[y, g.feed('c', y.shape)]], xs, { table: { ...vjps, [name]: spy } });
  }
  return [...gradients].map((at) => ({
    ...vjps,
    [name]: (args) =>
      rule(args).map((dx, i) =>
        dx && i === at ? op.mul(args.g, dx, op.scalar(args.g, 1.05, dx.dtype)) : dx,
      ),
  }));
}

test('boolean and piecewise constant ops pass no gradient', async () => {
  const g = new Graph();
  const x = g.feed('x', [2]);
  const flat = [op.ceil(g, x), op.floor(g, x), op.argMax(g, x, 0), op.not(g, op.equal(g, x, x))];
  for (const y of flat) {
    const node = g.nodes.find(({ outputs }) => outputs.includes(y))!;
    const rule: Vjp = vjps[node.op as keyof typeof vjps];
    expect(rule({ g, x: node.inputs, y, dy: y, ys: [y], dys: [y], attrs: node.attrs })).toEqual([null]);
  }
});

test('the slope of gelu is that of its formula, at 0 and far out as well', async () => {
  const points = Float32Array.of(0, 1e-22, -1e-12, 1e-10, -1e-4, 0.7, -3, 8, -12, 40, -1000);
  const slopes = async (f: (g: Graph, x: Value) => Value): Promise<Float32Array> => {
    const g = new Graph();
    const x = g.feed('x', [points.length]);
    const ones = g.constant(new Float32Array(points.length).fill(1), [points.length]);
    const [dx] = pullback(g, [[f(g, x), ones]], [x]);
    const run = await compile(g, [dx!]);
    return (await run({ x: points }))[0]!;
  };
  const formula = await slopes((g, x) => {
    const cdf = op.add(g, op.erf(g, op.mul(g, x, op.scalar(g, Math.SQRT1_2))), op.scalar(g, 1));
    return op.mul(g, x, op.mul(g, cdf, op.scalar(g, 0.5)));
  });
  const rule = await slopes((g, x) => op.gelu(g, x));
  points.forEach((point, i) => {
    expect(Math.abs(rule[i]! - formula[i]!), `at ${point}`).toBeLessThan(1e-6);
  });
  expect(rule[0]).toBe(0.5);
});
