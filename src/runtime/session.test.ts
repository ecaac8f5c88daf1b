import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Graph } from '../onnx/graph';
import { add, cast, identity, mul } from '../onnx/ops';
import { type Backend, openBackend } from './backend';
import { loadOrtNode } from './ort-node';
import { compile } from './session';
import { DeviceTensor } from './tensor';
import { maxDifference, tinyFeeds, tinyNet, tinySource, wave } from './tiny-net';
import { WeightStore } from './weights';

let backend: Backend;
const noWeights = () => new WeightStore(backend, { shapes: new Map(), load: () => Promise.reject() });

beforeAll(async () => {
  backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
});
afterAll(() => backend.dispose());

test('weights as constants and weights as inputs give the same numbers', async () => {
  const { graph, outputs } = tinyNet();
  const weights = new WeightStore(backend, tinySource());
  const baked = await compile(graph, outputs, weights);
  const fed = await compile(graph, outputs, weights, { frozen: () => false });
  const [a, b] = await Promise.all([baked.run(tinyFeeds()), fed.run(tinyFeeds())]);
  expect(a.image!.shape).toEqual([1, 3, 4, 4]);
  expect(maxDifference(a.image!, b.image!)).toBeLessThan(1e-5);
  expect(maxDifference(a.projected!, b.projected!)).toBeLessThan(1e-5);
});

test('a weight that was baked cannot be updated until its program is gone; one that is fed can', async () => {
  const { graph, outputs } = tinyNet();
  const weights = new WeightStore(backend, tinySource());
  const baked = await compile(graph, outputs, weights);
  await expect(weights.update('conv.bias', wave([3]))).rejects.toMatchObject({ code: 'GRAPH' });
  await baked.dispose();

  const fed = await compile(graph, outputs, weights, { frozen: (name) => name !== 'conv.bias' });
  const before = await fed.run(tinyFeeds());
  await weights.update('conv.bias', wave([3], 5));
  const after = await fed.run(tinyFeeds());
  expect(maxDifference(before.image!, after.image!)).toBeGreaterThan(0.01);
  expect(await weights.read('conv.bias')).toEqual(wave([3], 5));
});

test('one program runs with the base or with an overlay of what it was told may change', async () => {
  const { graph, outputs } = tinyNet();
  const base = new WeightStore(backend, tinySource());
  const concept = base.fork(['proj.weight']);
  await concept.update('proj.weight', wave([12, 4], 9));
  const program = await compile(graph, outputs, concept);
  const changed = await program.run(tinyFeeds());
  const original = await program.run(tinyFeeds(), { weights: base });
  const plain = await (await compile(graph, outputs, base)).run(tinyFeeds());
  expect(maxDifference(original.projected!, plain.projected!)).toBeLessThan(1e-6);
  expect(maxDifference(changed.projected!, plain.projected!)).toBeGreaterThan(0.01);
  expect(maxDifference(changed.image!, plain.image!)).toBeLessThan(1e-6);

  const other = base.fork(['conv.bias']);
  await expect(program.run(tinyFeeds(), { weights: other })).rejects.toMatchObject({ code: 'GRAPH' });
});

describe('feeds are checked by name and shape', () => {
  const cases = {
    missing: { x: wave([1, 2, 4, 4]) },
    unknown: { ...tinyFeeds(), y: wave([1]) },
    misshapen: { ...tinyFeeds(), shift: wave([4]) },
  };
  test.each(Object.entries(cases))('%s', async (_, feeds) => {
    const { graph, outputs } = tinyNet();
    const program = await compile(graph, outputs, new WeightStore(backend, tinySource()));
    await expect(program.run(feeds)).rejects.toMatchObject({ code: 'SHAPE' });
  });
});

test('a feed that no output needs is left out, and refused by name when given', async () => {
  const { graph, outputs } = tinyNet();
  graph.feed('idle', [2]);
  const program = await compile(graph, outputs, new WeightStore(backend, tinySource()));
  expect(program.feeds.map(({ name }) => name)).toEqual(['x', 'shift']);
  await program.run(tinyFeeds());
  await expect(program.run({ ...tinyFeeds(), idle: wave([2]) })).rejects.toMatchObject({
    code: 'SHAPE',
    details: { names: ['idle'] },
  });
});

test('a weight that is missing or misshapen is refused by name', async () => {
  const net = tinyNet();
  const shapes = new Map(tinySource().shapes);
  shapes.set('conv.bias', [4]);
  const wrong = new WeightStore(backend, { ...tinySource(), shapes });
  await expect(compile(net.graph, net.outputs, wrong)).rejects.toMatchObject({ code: 'SHAPE' });
  shapes.delete('conv.bias');
  const lacking = new WeightStore(backend, { ...tinySource(), shapes });
  await expect(compile(net.graph, net.outputs, lacking)).rejects.toMatchObject({
    code: 'MISSING_WEIGHT',
    details: { name: 'conv.bias' },
  });
});

test('int64, bool and float16 feeds and results cross as host floats', async () => {
  const g = new Graph();
  const ids = g.feed('ids', [3], 'int64');
  const flags = g.feed('flags', [2], 'bool');
  const half = g.feed('half', [2], 'float16');
  const outputs = {
    ids: add(g, ids, ids),
    flags: identity(g, flags),
    half: mul(g, half, half),
    truth: cast(g, flags, 'float32'),
  };
  const program = await compile(g, outputs, noWeights());
  const feeds = { ids: wave([3]), flags: wave([2]), half: { data: Float32Array.of(0.5, -1.5), shape: [2] } };
  await expect(program.run(feeds)).rejects.toMatchObject({ code: 'SHAPE' });
  feeds.ids = { data: Float32Array.of(1, -2, 49407), shape: [3] };
  const result = await program.run(feeds);
  expect([...result.ids!.data]).toEqual([2, -4, 98814]);
  expect([...result.flags!.data]).toEqual([0, 1]);
  expect([...result.half!.data]).toEqual([0.25, 2.25]);
  expect([...result.truth!.data]).toEqual([0, 1]);
});

test('device tensors carry results from one program to the next', async () => {
  const { graph, outputs } = tinyNet();
  const program = await compile(graph, outputs, new WeightStore(backend, tinySource()));
  const feeds = {
    x: await DeviceTensor.create(backend, program.feeds[0]!, 'x'),
    shift: await DeviceTensor.create(backend, program.feeds[1]!, 'shift'),
  };
  await feeds.x.write(tinyFeeds().x!);
  await feeds.shift.write(tinyFeeds().shift!);
  const results = await program.runDevice(feeds);
  const expected = await program.run(tinyFeeds());
  expect(maxDifference(await results.image!.read(), expected.image!)).toBe(0);
});

test('dispose gives back everything that memory counts', async () => {
  const before = backend.memory.use();
  const { graph, outputs } = tinyNet();
  const weights = new WeightStore(backend, tinySource());
  const programs = [
    await compile(graph, outputs, weights),
    await compile(graph, outputs, weights, { frozen: () => false }),
  ];
  await Promise.all(programs.map((program) => program.run(tinyFeeds())));
  expect(backend.memory.use()).toMatchObject({
    sessions: before.sessions + 2,
    baked: before.baked + 4 * (54 + 3 + 48),
  });
  expect(weights.bytes).toBe(4 * (54 + 3 + 48));
  for (const program of programs) await program.dispose();
  weights.dispose();
  expect(backend.memory.use()).toEqual(before);
});
