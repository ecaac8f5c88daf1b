import { expect, test } from '@playwright/test';
import { engineOf, killEngine, Studio } from './app';

test('when the engine dies in mid-edit, that is said, nothing is lost, and trying again works', async ({
  page,
}) => {
  const studio = new Studio(page);
  await studio.open();
  await studio.dropPhoto();
  await studio.describe('a photo of a cat on a wooden table', 'a photo of a dog on a wooden table');
  await studio.quick();
  await studio.set('Steps', 2);
  await studio.edit();

  await studio.set('Steps', 300);
  await studio.run.click();
  await expect(page.getByText(/^Step \d+ of 300/)).toBeVisible({ timeout: 120_000 });
  await killEngine(page);

  const alert = page.getByRole('alert');
  await expect(alert).toContainText('The editing engine stopped and was started again');
  await expect(studio.progress).toBeHidden();
  await expect(studio.takes).toHaveCount(1);
  await expect(studio.source).toHaveValue('a photo of a cat on a wooden table');

  await studio.set('Steps', 1);
  await expect(studio.run).toBeEnabled();
  await alert.getByRole('button', { name: 'Try again' }).click();
  await expect(studio.takes).toHaveCount(2, { timeout: 120_000 });
});

test('an engine that does not answer is ended when the person says so, and starts again', async ({
  page,
}) => {
  const studio = new Studio(page);
  await studio.open();
  await studio.dropPhoto();
  await studio.describe('a photo of a cat on a wooden table', 'a photo of a dog on a wooden table');
  await studio.run.click();
  await expect(studio.progress).toBeVisible();
  // never returns: what is left of it ends with the worker
  void engineOf(page)
    .evaluate(() => {
      for (;;);
    })
    .catch(() => {});
  await studio.stop.click();
  await page.getByRole('button', { name: 'Stop now' }).click();
  await expect(studio.status).toHaveText('Stopped at once. The engine starts again.');
  await expect(studio.run).toBeEnabled({ timeout: 60_000 });
  await expect(studio.takes).toHaveCount(0);
});
