import { expect, test } from 'vitest';
import { PreviewBudget } from './preview-budget';

test('decodes fill their share of step time and never exceed it', () => {
  const budget = new PreviewBudget(80, 0.05);
  let decodes = 0;
  for (let i = 0; i < 200; i++) {
    budget.step(50);
    if (budget.affordsDecode) {
      budget.decoded(80);
      decodes++;
    }
    expect(budget.spent).toBeLessThanOrEqual(0.05);
  }
  // 10 s of steps allow 500 ms
  expect(decodes).toBe(6);
});

test('a decode that turns out slower is waited for longer', () => {
  const budget = new PreviewBudget(10, 0.05);
  budget.step(1000);
  expect(budget.affordsDecode).toBe(true);
  budget.decoded(50);
  budget.step(999);
  expect(budget.affordsDecode).toBe(false);
  budget.step(1);
  expect(budget.affordsDecode).toBe(true);
});
