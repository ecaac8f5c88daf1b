import { expect, test } from 'vitest';
import { adamw } from './adamw';
import { hostBlocks } from './host-blocks';
import { sgd } from './sgd';

test('weights lie side by side without touching, and one pass serves them all', () => {
  const optimiser = sgd({ momentum: 0.9 });
  const { blocks, weights } = hostBlocks(optimiser, [3, 1, 8]);
  expect(blocks).toHaveLength(1);
  weights.forEach(({ weight, gradient }, i) => {
    weight.fill(i + 1);
    gradient.fill(2);
  });
  expect(blocks[0]!.squares()).toBe(12 * 4);
  blocks[0]!.apply(0.5, { rate: 0.25 });
  weights.forEach(({ weight, slots }, i) => {
    expect([...weight]).toEqual(Array(weight.length).fill(i + 0.75));
    expect([...slots.velocity!]).toEqual(Array(weight.length).fill(1));
  });
});

test('gaps between weights stay zero', () => {
  const optimiser = adamw();
  const { blocks, weights } = hostBlocks(optimiser, [3, 5]);
  for (const { weight, gradient } of weights) {
    weight.fill(1);
    gradient.fill(1);
  }
  for (let count = 1; count < 4; count++) blocks[0]!.apply(1, optimiser.schedule(count, 0.1));
  expect([3, 9, 10, 11].map((i) => blocks[0]!.weights[i] ?? 0)).toEqual([0, 0, 0, 0]);
  expect(blocks[0]!.squares()).toBe(8);
});

test('what is too much for one block goes to another', () => {
  const { blocks, weights } = hostBlocks(sgd(), [2 ** 24 - 2, 5]);
  expect(blocks).toHaveLength(2);
  weights[1]!.gradient.fill(1);
  expect(blocks.map((block) => block.squares())).toEqual([0, 5]);
});
