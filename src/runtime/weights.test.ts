import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Backend, openBackend } from './backend';
import { loadOrtNode } from './ort-node';
import { TINY_SHAPES, tinySource, wave } from './tiny-net';
import { WeightStore } from './weights';

let backend: Backend;
beforeAll(async () => {
  backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
});
afterAll(() => backend.dispose());

test('a weight is loaded once, on first use, however many ask at once', async () => {
  const asked: string[] = [];
  const source = tinySource();
  const weights = new WeightStore(backend, {
    ...source,
    load: (name) => {
      asked.push(name);
      return source.load(name);
    },
  });
  const [a, b] = await Promise.all([weights.tensor('conv.bias'), weights.tensor('conv.bias')]);
  expect(a).toBe(b);
  await weights.read('conv.bias');
  expect(asked).toEqual(['conv.bias']);
});

test('a load that failed is tried again', async () => {
  let failures = 1;
  const source = tinySource();
  const load = (name: string) => (failures-- > 0 ? Promise.reject(new Error('offline')) : source.load(name));
  const weights = new WeightStore(backend, { ...source, load });
  await expect(weights.tensor('conv.bias')).rejects.toThrow('offline');
  expect((await weights.tensor('conv.bias')).shape).toEqual([3]);
});

test('after disposal a weight is loaded anew', async () => {
  const weights = new WeightStore(backend, tinySource());
  const before = await weights.tensor('conv.bias');
  weights.dispose();
  expect(await weights.tensor('conv.bias')).not.toBe(before);
  expect((await weights.read('conv.bias')).data).toEqual((await tinySource().load('conv.bias')).data);
});

test('an overlay shares what it does not own and leaves its base as it was', async () => {
  const base = new WeightStore(backend, tinySource());
  const concept = base.fork(['conv.bias']);
  await concept.update('conv.bias', wave([3], 7));
  expect(await concept.tensor('conv.weight')).toBe(await base.tensor('conv.weight'));
  expect((await base.read('conv.bias')).data).toEqual((await tinySource().load('conv.bias')).data);
  expect((await concept.read('conv.bias')).data).toEqual(wave([3], 7).data);
  expect(concept.bytes).toBe(12);
  await expect(concept.update('conv.weight', wave([3, 2, 3, 3]))).rejects.toMatchObject({ code: 'GRAPH' });
});

test('an overlay of other names or shapes is refused', () => {
  const base = new WeightStore(backend, tinySource());
  const of = (name: string, shape: number[]) => () =>
    base.overlay({ shapes: new Map([[name, shape]]), load: async () => wave(shape) });
  expect(of('conv.bias', [4])).toThrow(expect.objectContaining({ code: 'SHAPE' }));
  expect(of('elsewhere', [3])).toThrow(expect.objectContaining({ code: 'MISSING_WEIGHT' }));
});

test('float16 storage rounds as IEEE binary16 and halves memory', async () => {
  const weights = new WeightStore(backend, tinySource(), { dtype: 'float16' });
  const tensor = await weights.tensor('conv.weight');
  expect(tensor.bytes).toBe(2 * 54);
  const [stored, exact] = [await weights.read('conv.weight'), await tinySource().load('conv.weight')];
  stored.data.forEach((v, i) => {
    expect(Math.abs(v - exact.data[i]!)).toBeLessThanOrEqual(Math.abs(exact.data[i]!) * 2 ** -11);
  });
  expect(TINY_SHAPES.get('conv.weight')).toEqual(stored.shape);
  // the same numbers before anything has asked for the tensor
  const untouched = new WeightStore(backend, tinySource(), { dtype: 'float16' });
  expect(await untouched.read('conv.weight')).toEqual(stored);
});

test('a weight moved to memory of the caller keeps its values, and follows what is written there', async () => {
  const weights = new WeightStore(backend, tinySource());
  const values = (await weights.read('conv.bias')).data;
  const memory = new Float32Array(5).subarray(1, 4);
  await weights.moveTo('conv.bias', memory);
  expect(memory).toEqual(values);
  expect(weights.bytes).toBe(12);
  memory[1] = 7;
  expect((await weights.read('conv.bias')).data[1]).toBe(7);
  await expect(weights.moveTo('conv.bias', new Float32Array(2))).rejects.toMatchObject({ code: 'SHAPE' });
  const beside = weights.fork(['conv.bias']);
  await expect(beside.moveTo('conv.weight', new Float32Array(54))).rejects.toMatchObject({ code: 'GRAPH' });
});
