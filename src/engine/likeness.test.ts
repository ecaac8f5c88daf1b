import { expect, test } from 'vitest';
import { likenessOptions } from '../document/likeness';
import { editMethods } from '../editing/methods';
import { checkOptions } from '../editing/options';
import { checkSteerOptions, steerDefaults } from '../steering/options';

const fit = steerDefaults('custom-diffusion');
const edit = editMethods['dds-sm']!.defaults as unknown as Record<string, number>;
const at = (likeness: number) => likenessOptions(likeness, { fit, edit });
const positions = [0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1];

test('in the middle everything is as it was; beyond the ends are the ends', () => {
  expect(at(0.5)).toEqual({ fit: {}, edit: {} });
  expect(at(-1)).toEqual(at(0));
  expect(at(2)).toEqual(at(1));
});

test('the ends are what is documented', () => {
  expect(at(0)).toEqual({ fit: { modeShift: 0.25, steps: 50 }, edit: { stepSize: 0.033, maskPower: 2 } });
  expect(at(1)).toEqual({ fit: { modeShift: 4, steps: 20 }, edit: { stepSize: 0.073, maskPower: 0.5 } });
});

test('towards likeness each option goes one way, and stays in its range for every method', () => {
  const all = positions.map((likeness) => {
    const moved = at(likeness);
    return { ...fit, ...moved.fit, ...edit, ...moved.edit, fitSteps: moved.fit.steps ?? fit.steps };
  }) as unknown as Record<string, number>[];
  const rises = (name: string, sign: 1 | -1) =>
    all.every((here, i) => i === 0 || sign * (here[name]! - all[i - 1]![name]!) >= 0);
  expect(rises('modeShift', 1) && rises('stepSize', 1)).toBe(true);
  expect(rises('fitSteps', -1) && rises('maskPower', -1)).toBe(true);
  for (const { defaults } of Object.values(editMethods)) {
    const own = defaults as unknown as Record<string, number>;
    for (const likeness of positions) {
      const moved = likenessOptions(likeness, {
        fit: { ...fit, modeShift: 10 },
        edit: { ...own, stepSize: 1 },
      });
      expect(() => checkSteerOptions(moved.fit, fit)).not.toThrow();
      const known = Object.fromEntries(Object.entries(moved.edit).filter(([name]) => name in own));
      expect(() => checkOptions(known, defaults)).not.toThrow();
    }
  }
});

test('what is off stays off, and what a method lacks is left out', () => {
  expect(likenessOptions(1, { fit: { modeShift: 0 }, edit: { steps: 50 } })).toEqual({ fit: {}, edit: {} });
});
