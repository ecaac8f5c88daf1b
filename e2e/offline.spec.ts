import { expect } from '@playwright/test';
import { Studio } from './app';
import { test } from './plain-host';

test('on a host that sends no headers the page isolates itself with one reload', async ({ page }) => {
  let loads = 0;
  page.on('domcontentloaded', () => {
    loads += 1;
  });
  const response = await page.goto('.');
  expect(response?.headers()['cross-origin-opener-policy']).toBeUndefined();
  await expect(page.getByRole('button', { name: 'Open photo' })).toBeVisible();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  expect(loads).toBe(2);
  await page.reload();
  await expect(page.getByRole('button', { name: 'Open photo' })).toBeVisible();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  expect(loads).toBe(3);
});

test('after one edit the studio starts and edits with its host gone, and never asked another', async ({
  page,
  context,
  host,
  baseURL,
}) => {
  test.setTimeout(600_000);
  const elsewhere: string[] = [];
  context.on('request', (request) => {
    if (/^https?:/.test(request.url()) && !request.url().startsWith(baseURL!)) elsewhere.push(request.url());
  });
  const studio = new Studio(page);
  await studio.open();
  await page.getByRole('button', { name: 'Try the demo' }).click();
  await expect(page.getByText(/^Step \d+ of \d+/)).toBeVisible({ timeout: 240_000 });
  await studio.stop.click();
  await expect(studio.takes).toHaveCount(1, { timeout: 120_000 });
  await expect(page.getByText('Saved in this browser')).toBeVisible();

  await host.close();
  await page.reload();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await expect(studio.takes).toHaveCount(1);
  await studio.set('Steps', 2);
  await studio.edit();
  await expect(studio.takes).toHaveCount(2);
  expect(elsewhere).toEqual([]);
});

test('the content security policy bars every other host, from the page and from its workers', async ({
  page,
}) => {
  await new Studio(page).open();
  const blocked = () =>
    new Promise<string>((resolve) => {
      addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective), {
        once: true,
      });
      fetch('https://example.com/').catch(() => undefined);
    });
  expect(await page.evaluate(blocked)).toBe('connect-src');
  const workers = page.workers().filter((worker) => /(engine|files)\.worker/.test(worker.url()));
  expect(workers).toHaveLength(2);
  for (const worker of workers) expect(await worker.evaluate(blocked)).toBe('connect-src');
});
