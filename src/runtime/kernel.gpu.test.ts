import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Backend, openBackend } from './backend';
import { dispatch, Kernel } from './kernel';
import { loadOrtWeb } from './ort-web';
import { DeviceTensor } from './tensor';

let gpu: Backend;
beforeAll(async () => {
  gpu = await openBackend('webgpu', { load: loadOrtWeb });
});
afterAll(() => gpu.dispose());

const ADD_COUNT = `
@group(0) @binding(0) var<storage, read> added: array<f32>;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@compute @workgroup_size(1)
fn main() {
  for (var i = 0u; i < arrayLength(&values); i++) { values[i] += added[0] * f32(arrayLength(&values)); }
}`;

test('kernels run in turn, change tensors in place, and see lengths without padding', async () => {
  const device = gpu.device!;
  const create = (length: number) => DeviceTensor.create(gpu, { shape: [length], dtype: 'float32' }, 'test');
  const [one, five] = [await create(1), await create(5)];
  await one.write({ data: Float32Array.of(2), shape: [1] });
  const kernel = await Kernel.compile(device, 'add', ADD_COUNT);
  dispatch(device, [kernel.on([one, five], 1), kernel.on([five, one], 1)]);
  expect([...(await five.read()).data]).toEqual([10, 10, 10, 10, 10]);
  expect([...(await one.read()).data]).toEqual([12]);
});

test("a kernel that does not compile is refused with the compiler's words", async () => {
  await expect(Kernel.compile(gpu.device!, 'broken', 'fn main() { nothing(); }')).rejects.toMatchObject({
    code: 'GRAPH',
    message: expect.stringMatching(/broken.*nothing/s),
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(() => gpu.device!.check()).not.toThrow();
});
