import { expect, test } from 'vitest';
import type { Line } from './store';
import { markdownTable } from './tables';
import type { Method, Table, VariantName } from './variants';

const table: Table = {
  title: 'test',
  methods: ['dreambooth', 'custom-diffusion'],
  variants: ['baseline', 'dreamsteerer'],
  against: 'baseline',
};

function line(
  pair: string,
  variant: VariantName,
  metrics: Line['metrics'],
  method: Method = 'dreambooth',
): Line {
  return {
    key: `${pair}-${method}-${variant}`,
    pair,
    concept: 'c',
    method,
    variant,
    seed: 0,
    options: { learn: {} as Line['options']['learn'], steer: null, edit: {} },
    metrics,
    seconds: { learn: 5, steer: 1, edit: 2 },
  };
}

const rowsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((row) => row.startsWith('| '))
    .map((row) => row.slice(2, -2).split(' | '));

test('means with intervals, shares, and every variant against the reference on common pairs', () => {
  const lines = [
    line('a', 'baseline', { SSIM: 0.5, 'PSNR to truth': 20, class: 1, identity: 0, 'LPIPS vgg': 0.2 }),
    line('b', 'baseline', { SSIM: 0.7, 'PSNR to truth': 22, class: 0, identity: 0, 'LPIPS vgg': 0.4 }),
    line('c', 'baseline', { SSIM: 0.9, 'PSNR to truth': 40, class: 1, identity: 1, 'LPIPS vgg': 0.9 }),
    line('a', 'dreamsteerer', { SSIM: 0.8, 'PSNR to truth': 23, class: 1, identity: 1, 'LPIPS vgg': 0.1 }),
    line('b', 'dreamsteerer', { SSIM: 0.7, 'PSNR to truth': 21, class: 1, identity: 1, 'LPIPS vgg': 0.2 }),
  ];
  const [head, , baseline, steered, , , pairedHead, , paired] = rowsOf(markdownTable(table, lines));
  const cell = (row: string[], name: string, names = head!) => row[names.indexOf(name)];
  expect(cell(baseline!, 'pairs')).toBe('3');
  expect(cell(baseline!, 'SSIM')).toBe('0.700 ± 0.497');
  expect(cell(steered!, 'PSNR to truth')).toBe('22.00 ± 12.71');
  expect([cell(baseline!, 'class'), cell(steered!, 'identity')]).toEqual(['67 %', '100 %']);
  expect(cell(steered!, 'seconds')).toBe('3.0 ± 0.0');
  // of the pairs that both have: one of two is nearer, SSIM 0.75 against 0.6, LPIPS 0.15 against 0.3
  expect(cell(paired!, 'pairs', pairedHead!)).toBe('2');
  expect(cell(paired!, 'nearer to truth', pairedHead!)).toBe('50 %');
  expect(cell(paired!, 'SSIM to source', pairedHead!)).toBe('+25.0 %');
  expect(cell(paired!, 'LPIPS', pairedHead!)).toBe('−50.0 %');
  expect(cell(paired!, 'PSNR to truth, dB', pairedHead!)).toBe('+1.00 ± 25.41');
});

test('what was not run says so, and an infinite PSNR spoils no mean', () => {
  const lines = [
    line('a', 'baseline', { 'PSNR outside': Number.POSITIVE_INFINITY, class: null }),
    line('b', 'baseline', { 'PSNR outside': 30, class: null }),
  ];
  const [head, , baseline, steered, other] = rowsOf(markdownTable(table, lines));
  expect(baseline![head!.indexOf('PSNR outside')]).toBe('30.00');
  for (const name of ['LPIPS', 'class', 'CLIP-I']) expect(baseline![head!.indexOf(name)]).toBe('not run');
  expect(steered![head!.indexOf('pairs')]).toBe('0');
  expect(other![head!.indexOf('seconds')]).toBe('not run');
});
