import { expect, test } from 'vitest';
import { COMPONENTS } from '../models/components';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { maxDifference, wave } from '../runtime/tiny-net';
import { WeightStore } from '../runtime/weights';
import { AppError } from '../util/errors';
import { rows, sizeOf, stack } from '../util/nd-array';
import { createDenoiser, type Denoiser, type DenoiserOptions } from './denoiser';
import golden from './golden/tiny-unet.json';
import { denoiserNoise, guided } from './guidance';
import { createSchedule } from './schedule';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const { parse, weights } = COMPONENTS.UNet2DConditionModel;
const config = parse(golden.config);
const shapes = weights(config);
const width = config.crossAttentionDim;
const store = new WeightStore(backend, {
  shapes,
  async load(name) {
    const shape = shapes.get(name)!;
    return wave(shape, name.length, shape.length === 1 ? 0.1 : 1.2 / Math.sqrt(sizeOf(shape.slice(1))));
  },
});
const denoiser = (limits: DenoiserOptions['limits']): Denoiser =>
  createDenoiser(config, store, { height: 8, width: 8, tokens: 5, limits });

/** One whose memory, found by halving, holds one row and not two. */
function tightest(): Denoiser {
  let [small, large] = [0, 1e9];
  for (let halvings = 0; halvings < 50; halvings++) {
    const total = (small + large) / 2;
    try {
      const found = denoiser({ total });
      if (found.maxBatch === 1) return found;
      large = total;
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'TOO_BIG')) throw error;
      small = total;
    }
  }
  throw new Error('no limit lies between one row and two');
}

test('where memory holds one row but not two, guidance takes two passes with the numbers of one', async () => {
  const [roomy, tight] = [denoiser({}), tightest()];
  expect([roomy.maxBatch, tight.maxBatch]).toEqual([2, 1]);
  const [x, empty, words] = [wave([1, 4, 8, 8], 1), wave([1, 5, width], 2), wave([1, 5, width], 3)];
  const schedule = createSchedule();
  const [once, twice] = [denoiserNoise(roomy, schedule), denoiserNoise(tight, schedule)];
  expect([once.batched, twice.batched]).toEqual([true, false]);
  const batched = await guided(once, x, 321, empty, words, 7.5);
  expect(maxDifference(await guided(twice, x, 321, empty, words, 7.5), batched)).toBeLessThan(1e-4);

  // a timestep for each row
  const two = stack([x, wave([1, 4, 8, 8], 5)]);
  const levels = await once(two, [321, 17], stack([words, empty]));
  const alone = stack([await once(x, 321, words), await once(rows(two, 1, 2), 17, empty)]);
  expect(maxDifference(levels, alone)).toBeLessThan(1e-4);

  // asked for two rows at once, it runs them one by one
  const both = [stack([x, wave([1, 4, 8, 8], 5)]), 321, stack([empty, words]), wave([2, 5, 1], 4)] as const;
  const [whole, parts] = [await roomy.predict(...both), await tight.predict(...both)];
  expect(maxDifference(parts.output, whole.output)).toBeLessThan(1e-4);
  expect(maxDifference(parts.attention, whole.attention)).toBeLessThan(1e-4);
  expect(maxDifference(rows(whole.output, 0, 1), rows(whole.output, 1, 2))).toBeGreaterThan(0.1);
  for (const each of [roomy, tight]) await each.dispose();
});

test('memory that does not hold one row is refused', () => {
  expect(() => denoiser({ tensor: 100 })).toThrowError(expect.objectContaining({ code: 'TOO_BIG' }));
});
