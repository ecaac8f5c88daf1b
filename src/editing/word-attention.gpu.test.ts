import { afterAll, expect, test } from 'vitest';
import { createModel } from '../diffusion/model';
import { type Backend, openBackend } from '../runtime/backend';
import { loadOrtWeb } from '../runtime/ort-web';
import { tinyModel } from '../training/tiny-model';
import { ndArray, sizeOf } from '../util/nd-array';
import { createTorchRng } from '../util/random';

const gpu = await openBackend('webgpu', { load: loadOrtWeb });
const wasm = await openBackend('wasm', { load: loadOrtWeb });
afterAll(() => gpu.dispose());

/** Two looks: the second replays what the first captured. */
async function looks(backend: Backend) {
  const model = createModel(tinyModel(backend), {});
  const context = await model.embed('a dog cat');
  const at = (seed: number) =>
    model.attend(
      ndArray(createTorchRng(seed).randn(sizeOf(model.latentShape)), model.latentShape),
      500,
      context,
    );
  return [await at(1), await at(2)];
}

test('words are attended to on the GPU as on the processor, also when the program is replayed', async () => {
  const [seen, expected] = [await looks(gpu), await looks(wasm)];
  for (const [i, parts] of seen.entries()) {
    for (const [j, { part, count, maps }] of parts.entries()) {
      const other = expected[i]![j]!;
      expect([part, count, maps.shape]).toEqual([other.part, other.count, other.maps.shape]);
      const error = maps.data.reduce((worst, v, k) => Math.max(worst, Math.abs(v - other.maps.data[k]!)), 0);
      expect(error).toBeLessThan(1e-4);
    }
  }
  expect(seen[0]![0]!.maps.data).not.toEqual(seen[1]![0]!.maps.data);
});
