import { expect, test } from 'vitest';
import { editFields } from './fields';
import { editMethods } from './methods';

const options = Object.entries(editMethods).flatMap(([method, { defaults }]) =>
  Object.entries(defaults).map(([option, value]) => [method, option, value] as const),
);

test.each(options)('%s shows its option %s with one line on what it does', (_, option, value) => {
  const field = editFields[option]!;
  expect(field.label).toMatch(/^[A-Z]/);
  expect(field.help).toMatch(/^[A-Z].{10,110}\.$/);
  // what the form offers holds the default
  if (typeof value === 'number') {
    expect(field).toMatchObject({ min: expect.any(Number), max: expect.any(Number) });
    const { min, max } = field as { readonly min: number; readonly max: number };
    expect(value >= min && value <= max).toBe(true);
  } else if (typeof value === 'string') {
    expect((field as { readonly choices: readonly string[] }).choices).toContain(value);
  } else {
    expect(Object.keys(field).sort()).toEqual(['help', 'label']);
  }
});

test('no field is left over', () => {
  expect(new Set(options.map(([, option]) => option))).toEqual(new Set(Object.keys(editFields)));
});
