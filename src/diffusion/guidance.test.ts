import { expect, test } from 'vitest';
import { axpby, type NdArray, ndArray } from '../util/nd-array';
import { guided, type Network, noisePredictor } from './guidance';
import { addNoise, createSchedule, levelAt, predictionTarget, stableDiffusionSchedule } from './schedule';

const x = ndArray([1, 2, 3, 4], [1, 1, 2, 2]);
const empty = ndArray([0.5], [1, 1, 1]);
const prompt = ndArray([2], [1, 1, 1]);

/** output = x · context, per row; records the batch of every call */
function recorder(batched?: boolean) {
  const batches: number[] = [];
  const network = async (input: NdArray, _t: number, context: NdArray): Promise<NdArray> => {
    batches.push(input.shape[0]!);
    const row = input.data.length / input.shape[0]!;
    return { data: input.data.map((v, i) => v * context.data[Math.floor(i / row)]!), shape: input.shape };
  };
  return { batches, predict: Object.assign(network, batched === undefined ? {} : { batched }) };
}

test('guidance moves from the empty prediction through the conditional one', async () => {
  const { predict } = recorder();
  const result = await guided(predict, x, 10, empty, prompt, 7.5);
  // 0.5 + 7.5·(2 − 0.5) = 11.75
  expect(result).toEqual(ndArray([11.75, 23.5, 35.25, 47], [1, 1, 2, 2]));
});

test('one batch of two equals two passes', async () => {
  const [one, two] = [recorder(true), recorder(false)];
  const batched = await guided(one.predict, x, 10, empty, prompt, 7.5);
  expect(batched).toEqual(await guided(two.predict, x, 10, empty, prompt, 7.5));
  expect(one.batches).toEqual([2]);
  expect(two.batches).toEqual([1, 1]);
});

test('a caller may ask for two passes where memory is tight', async () => {
  const { predict, batches } = recorder(true);
  await guided(predict, x, 10, empty, prompt, 7.5, { batched: false });
  expect(batches).toEqual([1, 1]);
});

test('weights 1 and 0 take one pass', async () => {
  const { predict, batches } = recorder(true);
  expect((await guided(predict, x, 10, empty, prompt, 1)).data[0]).toBe(2);
  expect((await guided(predict, x, 10, empty, prompt, 0)).data[0]).toBe(0.5);
  expect(batches).toEqual([1, 1]);
});

test.each(['epsilon', 'v_prediction', 'sample'] as const)(
  'noise is predicted by a network of type %s',
  async (type) => {
    const schedule = createSchedule({ ...stableDiffusionSchedule, predictionType: type });
    const noise = ndArray([0.1, -0.7, 1.3, 0.4], [1, 1, 2, 2]);
    const perfect: Network = Object.assign(
      async (_: NdArray, t: number) => predictionTarget(type, x, noise, levelAt(schedule, t)),
      { batched: true },
    );
    const predict = noisePredictor(perfect, schedule);
    const found = await predict(addNoise(schedule, x, noise, 500), 500, empty);
    expect(Math.max(...axpby(1, found, -1, noise).data.map(Math.abs))).toBeLessThan(1e-6);
    expect(predict.batched).toBe(true);
  },
);
