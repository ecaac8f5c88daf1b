import { expect, test } from '@playwright/test';
import type { PreviewServer } from 'vite';
import { plainHost } from './plain-host';

const PORT = 4180;
const ADDRESS = `http://localhost:${PORT}/studio/`;

let host: PreviewServer;
test.beforeEach(async () => {
  host = await plainHost(PORT);
});
test.afterEach(() => host.close());

test('on a host that sends no headers the page isolates itself with one reload', async ({ page }) => {
  let loads = 0;
  page.on('domcontentloaded', () => {
    loads += 1;
  });
  const response = await page.goto(ADDRESS);
  expect(response?.headers()['cross-origin-opener-policy']).toBeUndefined();
  await expect(page.getByRole('button', { name: 'Open photo' })).toBeVisible();
  await expect.poll(() => page.evaluate(() => crossOriginIsolated)).toBe(true);
  expect(loads).toBe(2);
  await page.reload();
  await expect(page.getByRole('button', { name: 'Open photo' })).toBeVisible();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  expect(loads).toBe(3);
});
