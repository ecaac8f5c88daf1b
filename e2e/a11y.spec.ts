import { expect, type Locator, test } from '@playwright/test';
import { expectAccessible, phoneJpeg, Studio } from './app';

test('no state of the studio has an accessibility finding', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await expectAccessible(page, 'empty');

  await studio.dropPhoto();
  await studio.describe('a photo of a cat on a wooden table', 'a photo of a dog on a wooden table');
  await studio.quick();
  await expect(page.getByText('Saved in this browser')).toBeVisible();
  await expectAccessible(page, 'photo, advanced settings');

  await page.getByRole('button', { name: /^Subject: cat/ }).click();
  await expect(page.getByRole('textbox', { name: 'Subject' })).toBeVisible();
  await page.getByRole('button', { name: 'Paint mask' }).click();
  await expectAccessible(page, 'painting, correcting the subject');
  await page.getByRole('button', { name: 'Move', exact: true }).click();

  await studio.set('Steps', 300);
  await studio.run.click();
  await expect(page.getByText(/^Step \d+ of 300/)).toBeVisible({ timeout: 120_000 });
  await expectAccessible(page, 'running');
  await studio.stop.click();
  await expect(studio.takes).toHaveCount(1);
  await expectAccessible(page, 'done');

  await page.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(page.getByRole('button', { name: /^Save .*\.png/ })).toBeEnabled();
  await page.getByRole('radio', { name: 'JPEG' }).click();
  await expect(page.getByRole('button', { name: /^Save .*\.jpg/ })).toBeEnabled();
  await expectAccessible(page, 'export');
  await page.keyboard.press('Escape');

  await page.keyboard.press('Shift+?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await expectAccessible(page, 'shortcuts');
  await page.keyboard.press('Escape');

  await studio.drop({ name: 'broken.png', type: 'image/png', bytes: Buffer.from('nothing') });
  await expect(page.getByRole('alert')).not.toBeEmpty();
  await expectAccessible(page, 'error');
});

test('no state of learning has an accessibility finding', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByRole('button', { name: 'New concept' }).click();
  await expectAccessible(page, 'empty concept');
  await page.getByRole('button', { name: 'Undo' }).click();
  await studio.conceptFromDemo(4);
  await page.getByRole('button', { name: 'How it learns' }).click();
  await page.getByRole('button', { name: 'Picture 2' }).click();
  await expectAccessible(page, 'concept, how it learns');

  await page.getByRole('button', { name: 'Learn', exact: true }).click();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('Step 1 of 4, paused')).toBeVisible({ timeout: 150_000 });
  await expectAccessible(page, 'paused');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText(/^Miso stopped at step/)).toBeVisible();
  await expectAccessible(page, 'stopped');
  await page.getByRole('button', { name: 'Use as is' }).click();
  await page.getByRole('button', { name: 'Use in edits' }).click();
  await expectAccessible(page, 'learned, in use');
});

test('the whole flow works with the keyboard alone', async ({ page }) => {
  // asked for early: a key press leaves no time to take the dialog's place
  const chooser = page.waitForEvent('filechooser');
  const studio = new Studio(page);
  await studio.open();
  await page.keyboard.press('Control+o');
  const photo = await phoneJpeg();
  await (await chooser).setFiles({ name: photo.name, mimeType: photo.type, buffer: photo.bytes });
  await expect(page.getByText('1024 × 768 · 0.79 MP')).toBeVisible();

  const tabTo = async (target: Locator) => {
    for (let i = 0; i < 80; i++) {
      await page.keyboard.press('Tab');
      if (await target.evaluate((it) => it === document.activeElement)) return;
    }
    throw new Error(`Tab never reaches ${target}`);
  };
  await tabTo(studio.source);
  await page.keyboard.type('a photo of a cat on a wooden table');
  await tabTo(studio.target);
  await page.keyboard.type('a photo of a dog on a wooden table');
  await tabTo(page.getByRole('textbox', { name: 'Steps', exact: true }));
  await page.keyboard.type('1');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Control+Enter');
  await expect(studio.takes).toHaveCount(1, { timeout: 120_000 });
  await tabTo(studio.compare);
  await page.keyboard.press('End');
  await expect(studio.compare).toHaveValue('100');

  await page.keyboard.press('Control+Shift+e');
  const save = page.getByRole('button', { name: /^Save .*\./ });
  await expect(save).toBeEnabled();
  const download = page.waitForEvent('download');
  await tabTo(save);
  await page.keyboard.press('Enter');
  expect((await download).suggestedFilename()).toMatch(/-dog\.png$/);
});
