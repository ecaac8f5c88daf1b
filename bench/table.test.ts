import { expect, test } from 'vitest';
import type { Measurement } from './measure';
import { row } from './table';

const said = (over: Partial<Measurement> & { readonly value: number }): string =>
  row({ name: 'it', unit: '%', ...over })
    .replace(/ +/g, ' ')
    .trim();

test('a target is kept from below, flatness from both sides', () => {
  expect(said({ value: 3.5, target: 3.5 })).toBe('it 3.50 % ≤ 3.5 ok');
  expect(said({ value: -9, target: 3.5 })).toBe('it -9.00 % ≤ 3.5 ok');
  expect(said({ value: 3.6, target: 3.5 })).toBe('it 3.60 % > 3.5 MISSED');
  expect(said({ value: -2, within: 2 })).toBe('it -2.00 % ± 2 ok');
  expect(said({ value: 2.1, within: 2 })).toBe('it 2.10 % ± 2 MISSED');
});

test('what shrinks by more is not flat either, and the line says which way', () => {
  expect(said({ value: -7.81, within: 2, note: '327 → 302 MB' })).toBe(
    'it -7.81 % ± 2 MISSED, it shrinks: no leak 327 → 302 MB',
  );
});

test('without either a line has no verdict', () => {
  expect(said({ value: 1234.5, note: 'for the record' })).toBe('it 1235 % for the record');
});
