import { expect, test } from 'vitest';
import { errorMessages } from './error-messages';

test('every code says what happened, what is safe, and one thing to do, in sentences', () => {
  for (const [code, { title, safe, action }] of Object.entries(errorMessages)) {
    expect(title, code).toMatch(/^[A-Z].{10,60}[^.]$/);
    expect(safe, code).toMatch(/^[A-Z].{15,}\.$/);
    expect(action.label, code).toMatch(/^[A-Z][a-z ]{5,25}$/);
  }
});

test('no two codes read the same', () => {
  const titles = Object.values(errorMessages).map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
});
