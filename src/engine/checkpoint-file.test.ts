import { expect, test } from 'vitest';
import { type NdArray, ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file';

const RUN = { id: 'run', dtype: 'float32' } as const;
const array = (...values: number[]): NdArray => ndArray(values, [1, values.length]);
const trained = {
  step: 3,
  configHash: 'ab',
  state: { count: 2, weights: new Map([['w', array(1, 2)]]), slots: { m: new Map([['w', array(3, 4)]]) } },
};
const rng = createTorchRng(7);
rng.randn(3);
const making = {
  step: 0,
  configHash: 'ab',
  state: { count: 0, weights: new Map(), slots: {} },
  guided: [],
  sampling: {
    steps: 2,
    inverted: [array(1), array(2), array(3)],
    samples: [
      { x: array(4), rng: rng.state() },
      { x: array(5), rng: createTorchRng(8).state() },
    ],
  },
};

test('what is written is read back: a run, a run with samples, samples in the making', async () => {
  const plain = await decodeCheckpoint(encodeCheckpoint(trained, RUN));
  expect(plain).toEqual({ ...trained, precision: 'float32', guided: [], sampling: null });
  // more than ten: in the order of their numbers, not of their names
  const guided = Array.from({ length: 12 }, (_, i) => array(i));
  expect(await decodeCheckpoint(encodeCheckpoint({ ...trained, guided }, RUN))).toEqual({
    ...plain,
    guided,
  });
  const halved = encodeCheckpoint(making, { ...RUN, dtype: 'float16' });
  expect(await decodeCheckpoint(halved)).toEqual({ ...making, precision: 'best' });
});

test.each([
  ['steps', { steps: -1 }],
  ['generators', { samples: [{ x: array(4), rng: { seed: 1, drawn: 1e12, spare: null } }] }],
  ['numbers', { samples: [{ x: array(4), rng: { seed: 1, drawn: 1, spare: 'x' as never } }] }],
])('samples in the making with impossible %s are refused', async (_, over) => {
  const broken = encodeCheckpoint({ ...making, sampling: { ...making.sampling, ...over } }, RUN);
  await expect(decodeCheckpoint(broken)).rejects.toMatchObject({ code: 'BAD_FILE', message: /samples/ });
});
