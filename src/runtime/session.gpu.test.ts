import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Graph, type Value } from '../onnx/graph';
import { reshape, slice } from '../onnx/movement';
import { add, conv, mul } from '../onnx/ops';
import { sizeOf } from '../util/nd-array';
import { type Backend, openBackend } from './backend';
import { loadOrtWeb } from './ort-web';
import { compile, type Program } from './session';
import { DeviceTensor } from './tensor';
import { maxDifference, tinyFeeds, tinyNet, tinySource, wave } from './tiny-net';
import { WeightStore } from './weights';

// Each case provokes one of the ways in which ONNX Runtime Web fails, or fails to fail.

let gpu: Backend;
let wasm: Backend;
beforeAll(async () => {
  gpu = await openBackend('webgpu', { load: loadOrtWeb });
  wasm = await openBackend('wasm', { load: loadOrtWeb });
});
afterAll(() => gpu.dispose());

const noWeights = (backend: Backend) =>
  new WeightStore(backend, { shapes: new Map(), load: () => Promise.reject() });

async function tinyProgram(backend: Backend, options = {}): Promise<Program> {
  const { graph, outputs } = tinyNet();
  return compile(graph, outputs, new WeightStore(backend, tinySource()), options);
}

/** A graph of one op on x [n]. */
function single(build: (g: Graph, x: Value) => Value, n = 4): { graph: Graph; outputs: { y: Value } } {
  const graph = new Graph();
  return { graph, outputs: { y: build(graph, graph.feed('x', [n])) } };
}

test('overlapping runs of several programs, and creation meanwhile, each give their own numbers', async () => {
  const [a, b] = [await tinyProgram(gpu), await tinyProgram(gpu)];
  const reference = await tinyProgram(wasm);
  const runs = Array.from({ length: 6 }, (_, i) => (i % 2 ? a : b).run(tinyFeeds(i)));
  const created = tinyProgram(gpu);
  for (const [i, result] of (await Promise.all(runs)).entries()) {
    const expected = await reference.run(tinyFeeds(i));
    expect(maxDifference(result.image!, expected.image!)).toBeLessThan(1e-5);
    expect(maxDifference(result.projected!, expected.projected!)).toBeLessThan(1e-5);
  }
  for (const program of [a, b, await created, reference]) await program.dispose();
});

test('a program works again after a run that failed', async () => {
  const program = await tinyProgram(gpu);
  const good = await program.run(tinyFeeds());
  const feeds = Object.fromEntries(
    await Promise.all(
      program.feeds.map(async (f) => [f.name, await DeviceTensor.create(gpu, f, f.name)] as const),
    ),
  );
  const destroyed = await DeviceTensor.create(gpu, program.feeds[0]!, 'destroyed');
  destroyed.dispose();
  await expect(program.runDevice({ ...feeds, x: destroyed })).rejects.toMatchObject({ code: 'GRAPH' });
  const again = await program.run(tinyFeeds());
  expect(maxDifference(again.image!, good.image!)).toBe(0);
  await program.dispose();
});

test('a lost device rejects runs with DEVICE_LOST, and a new backend computes', async () => {
  const first = await openBackend('webgpu', { load: loadOrtWeb });
  const program = await tinyProgram(first);
  const good = await program.run(tinyFeeds());
  const pending = program.run(tinyFeeds());
  first.device!.destroy();
  await expect(pending).rejects.toMatchObject({ code: 'DEVICE_LOST' });
  await expect(program.run(tinyFeeds())).rejects.toMatchObject({ code: 'DEVICE_LOST' });

  const second = await openBackend('webgpu', { load: loadOrtWeb });
  const revived = await tinyProgram(second);
  expect(maxDifference((await revived.run(tinyFeeds())).image!, good.image!)).toBe(0);
  await revived.dispose();
  second.dispose();
});

test('a feed or weight that nothing reads never reaches ORT, which would copy it back on every run', async () => {
  const { graph, outputs } = tinyNet();
  graph.feed('idle', [2]);
  graph.weight('unused.weight', [9]);
  const program = await compile(graph, outputs, new WeightStore(gpu, tinySource()));
  await expect(program.run({ ...tinyFeeds(), idle: wave([2]) })).rejects.toMatchObject({
    code: 'SHAPE',
    details: { names: ['idle'] },
  });
  await program.run(tinyFeeds());
  await program.dispose();
});

test.each([1, 3, 5])('a tensor of %i floats, no multiple of 16 bytes, is fed and read back', async (n) => {
  const { graph, outputs } = single((g, x) => mul(g, x, x), n);
  const program = await compile(graph, outputs, noWeights(gpu));
  const { y } = await program.run({ x: wave([n]) });
  expect([...y!.data]).toEqual([...wave([n]).data].map((v) => Math.fround(v * v)));
  await program.dispose();
});

test('one buffer as input and output is refused', async () => {
  const { graph, outputs } = single((g, x) => add(g, x, x));
  const program = await compile(graph, outputs, noWeights(gpu));
  const x = await DeviceTensor.create(gpu, program.feeds[0]!, 'x');
  await expect(program.runDevice({ x }, { y: x })).rejects.toThrow(/one buffer/);
  await program.dispose();
  x.dispose();
});

describe('graph capture', () => {
  test('replays with new contents of feeds and weights, and refuses other buffers', async () => {
    const { graph, outputs } = tinyNet();
    const weights = new WeightStore(gpu, tinySource());
    const captured = await compile(graph, outputs, weights, { capture: true });
    const plain = await compile(graph, outputs, weights);
    for (let i = 0; i < 4; i++) {
      if (i === 3) await weights.update('conv.weight', wave([3, 2, 3, 3], 8));
      const [a, b] = [await captured.run(tinyFeeds(i)), await plain.run(tinyFeeds(i))];
      expect(maxDifference(a.image!, b.image!)).toBe(0);
    }
    const other = await DeviceTensor.create(gpu, captured.feeds[0]!, 'other');
    const { feeds } = captured.ownTensors!;
    await expect(captured.runDevice({ ...feeds, x: other })).rejects.toThrow(
      /captured with another buffer for x/,
    );
    await expect(captured.run(tinyFeeds(), { weights: weights.fork(['conv.bias']) })).rejects.toThrow(
      /conv\.bias/,
    );
    await captured.dispose();
    await plain.dispose();
    other.dispose();
    weights.dispose();
  });

  test('leaves results where the recording writes them', async () => {
    const program = await tinyProgram(gpu, { capture: true });
    const { feeds } = program.ownTensors!;
    const tensors = new Set<DeviceTensor>();
    for (let i = 0; i < 3; i++) {
      for (const [name, value] of Object.entries(tinyFeeds(i))) await feeds[name]!.write(value);
      const { image } = await program.runDevice(feeds);
      tensors.add(image!);
      expect(maxDifference(await image!.read(), (await program.run(tinyFeeds(i))).image!)).toBe(0);
    }
    expect(tensors.size).toBe(1);
    const [image] = tensors;
    await expect(program.runDevice(feeds, { image: image! })).rejects.toThrow(/results of its own/);
    await program.dispose();
  });

  test('an output that ends in a view is refused: its copy would not be replayed', async () => {
    const { graph, outputs } = tinyNet();
    const weights = new WeightStore(gpu, tinySource());
    const image = Object.values(outputs)[0]!;
    const flat = reshape(graph, image, [sizeOf(image.shape)]);
    await expect(compile(graph, { flat }, weights, { capture: true })).rejects.toThrow(
      /flat ends in Reshape/,
    );
    weights.dispose();
  });
});

test.each([
  ['Sign', (g: Graph, x: Value) => g.append('Sign', [x], [{ shape: x.shape }])[0]!],
  ['Round', (g: Graph, x: Value) => g.append('Round', [x], [{ shape: x.shape }])[0]!],
])('%s has no WebGPU kernel: refused by name, not run on the CPU', async (op, build) => {
  const { graph, outputs } = single((g, x) => add(g, build(g, mul(g, x, x)), x));
  await expect(compile(graph, outputs, noWeights(gpu))).rejects.toMatchObject({
    code: 'GRAPH',
    details: { ops: [op] },
  });
});

test('Slice with step -1 reverses (the JSEP build does not)', async () => {
  const { graph, outputs } = single((g, x) => slice(g, x, [-1], [-5], [0], [-1]));
  const program = await compile(graph, outputs, noWeights(gpu));
  const { y } = await program.run({ x: { data: Float32Array.of(1, 2, 3, 4), shape: [4] } });
  expect([...y!.data]).toEqual([4, 3, 2, 1]);
  await program.dispose();
});

test('on WASM a wide convolution by a frozen kernel is rewritten, with the same numbers', async () => {
  const shapes = new Map([['w', [96, 96, 3, 3] as const]]);
  const load = async (name: string) => wave(shapes.get(name)!, 1, 0.03);
  const weights = new WeightStore(wasm, { shapes, load });
  const graph = new Graph();
  const y = conv(graph, graph.feed('x', [2, 96, 6, 4]), graph.weight('w', [96, 96, 3, 3]), undefined, {
    pads: [1, 1, 1, 1],
  });
  const rewritten = await compile(graph, { y }, weights);
  const plain = await compile(graph, { y }, weights, { frozen: () => false });
  // the rewritten kernel is 16/9 of the original
  expect(wasm.memory.use().baked).toBe(4 * 96 * 96 * 16);
  const feeds = { x: wave([2, 96, 6, 4]) };
  const [a, b] = [await rewritten.run(feeds), await plain.run(feeds)];
  const largest = Math.max(...b.y!.data.map(Math.abs));
  expect(maxDifference(a.y!, b.y!) / largest).toBeLessThan(2e-5);
  expect(maxDifference(a.y!, b.y!)).toBeGreaterThan(0);
  await expect(weights.update('w', wave([96, 96, 3, 3]))).rejects.toMatchObject({ code: 'GRAPH' });
  await rewritten.dispose();
  await weights.update('w', wave([96, 96, 3, 3]));
  await plain.dispose();
  weights.dispose();
});

test('the device is ours: it survives the last session', async () => {
  const program = await tinyProgram(gpu);
  await program.dispose();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(() => gpu.device!.check()).not.toThrow();
});

test('results stay on the GPU between programs, and overlays share the base buffers', async () => {
  const { graph, outputs } = tinyNet();
  const base = new WeightStore(gpu, tinySource());
  const concept = base.fork(['proj.weight']);
  await concept.update('proj.weight', wave([12, 4], 9));
  const program = await compile(graph, outputs, base);
  const [plain, changed] = [
    await program.run(tinyFeeds()),
    await program.run(tinyFeeds(), { weights: concept }),
  ];
  expect(maxDifference(plain.image!, changed.image!)).toBe(0);
  expect(maxDifference(plain.projected!, changed.projected!)).toBeGreaterThan(0.01);
  expect(concept.bytes).toBe(4 * 48);

  const twice = new Graph();
  const doubled = await compile(
    twice,
    { y: add(twice, twice.feed('x', [1, 3, 4, 4]), twice.feeds[0]!) },
    noWeights(gpu),
  );
  const onGpu = program.ownTensors!.outputs.image!;
  await program.run(tinyFeeds());
  const results = await doubled.runDevice({ x: onGpu });
  const expected = { ...plain.image!, data: plain.image!.data.map((v) => 2 * v) };
  expect(maxDifference(await results.y!.read(), expected)).toBe(0);
  for (const tensor of Object.values(results)) tensor.dispose();
  await program.dispose();
  await doubled.dispose();
});

test.each([false, true])('GPU buffers are flat over 100 runs (captured: %s)', async (capture) => {
  let live = 0;
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  const counted = new Set<GPUBuffer>();
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    counted.add(buffer);
    live += buffer.size;
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    if (counted.delete(this)) live -= this.size;
    return destroy.call(this);
  };
  try {
    const program = await tinyProgram(gpu, { capture });
    for (let i = 0; i < 10; i++) await program.run(tinyFeeds(i));
    const settled = live;
    const counts = gpu.memory.use();
    for (let i = 0; i < 100; i++) await program.run(tinyFeeds(i));
    expect(live).toBe(settled);
    expect(gpu.memory.use()).toEqual(counts);
    await program.dispose();
  } finally {
    GPUDevice.prototype.createBuffer = createBuffer;
    GPUBuffer.prototype.destroy = destroy;
  }
});
