import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, test } from '@playwright/test';
import type { Recipe } from '../src/document/document';
import { readRecipe } from '../src/formats/metadata';
import { pixels, Studio } from './app';

const source = 'a photo of a cat on a wooden table';
const target = 'a photo of a dog on a wooden table';

test('a rotated phone photo is dropped, edited, stopped, edited again, compared, exported and read back', async ({
  page,
}) => {
  const studio = new Studio(page);
  await studio.open();
  await expect(studio.run).toBeDisabled();

  const photo = await studio.dropPhoto();
  await expect(page.getByRole('textbox', { name: 'X', exact: true })).toHaveValue('128');
  await studio.describe(source, target);
  await expect(page.getByRole('button', { name: /^Subject: cat/ })).toBeVisible();

  // once stopped: acknowledged at once, and what there is stays
  await studio.quick();
  await studio.set('Steps', 200);
  await studio.run.click();
  await expect(studio.progress).toBeVisible();
  await expect(page.getByText(/^Step \d+ of 200/)).toBeVisible({ timeout: 120_000 });
  // in the same turn, so in far less than 100 ms, whatever the engine and the machine are busy with
  const acknowledged = await page.evaluate(async () => {
    document.querySelector<HTMLElement>('button[aria-label="Stop"]')?.click();
    await new Promise((resolve) => setTimeout(resolve));
    return document.body.textContent?.includes('Stopping');
  });
  expect(acknowledged).toBe(true);
  await expect(page.getByRole('button', { name: /^Take 1: dog, stopped at \d+ of 200$/ })).toBeVisible();
  await expect(studio.status).toHaveText(/^Stopped at \d+ of 200/);

  await studio.set('Steps', 4);
  await studio.set('Seed', 7);
  await studio.edit();
  await expect(studio.takes).toHaveCount(2);

  // compare by keyboard
  await expect(studio.compare).toHaveValue('50');
  await studio.compare.focus();
  await page.keyboard.press('ArrowRight');
  await expect(studio.compare).toHaveValue('51');

  const exported = await studio.export('PNG');
  expect(exported.name).toBe('IMG_2041-dog.png');
  const [after, before] = await Promise.all([pixels(exported.bytes), pixels(photo.upright)]);
  expect([after.width, after.height]).toEqual([1024, 768]);
  let outside = 0;
  let inside = 0;
  for (let y = 0; y < 768; y++) {
    for (let x = 0; x < 1024; x++) {
      const at = 3 * (y * 1024 + x);
      const difference = Math.abs(after.data[at]! - before.data[at]!);
      if (x < 128 || x >= 896) outside = Math.max(outside, difference);
      else inside = Math.max(inside, difference);
    }
  }
  // JPEG's own loss outside; inside something did change
  expect(outside).toBeLessThan(48);
  expect(inside).toBeGreaterThan(0);

  // other settings, then back from the file alone
  await studio.describe('a duck', 'a mug');
  await studio.set('Steps', 9);
  await studio.drop(exported);
  const question = page.getByRole('dialog', { name: 'This picture was made here' });
  await expect(question).toContainText(target);
  await question.getByRole('button', { name: 'Restore settings' }).click();
  await expect(studio.source).toHaveValue(source);
  await expect(studio.target).toHaveValue(target);
  await expect(page.getByRole('textbox', { name: 'Steps', exact: true })).toHaveValue('4');
  await expect(page.getByRole('textbox', { name: 'Seed', exact: true })).toHaveValue('7');

  // nothing is lost by a reload
  await expect(page.getByText('Saved in this browser')).toBeVisible();
  await page.reload();
  await expect(studio.takes).toHaveCount(2);
  await expect(studio.source).toHaveValue(source);
  await expect(studio.compare).toBeVisible();
});

test('the demo runs with no further input, by the recipe that the command line has', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await page.getByRole('button', { name: 'Try the demo' }).click();
  await expect(studio.source).toHaveValue(source);
  await expect(page.getByText(/^Step \d+ of \d+/)).toBeVisible({ timeout: 120_000 });
  await studio.stop.click();
  await expect(studio.takes).toHaveCount(1);
  await expect(studio.compare).toBeVisible();
  const { bytes } = await studio.export('PNG');
  expect(readRecipe(bytes)).toEqual(await demoOnCommandLine());
});

/** The recipe that `npm run edit -- --demo` leaves. */
async function demoOnCommandLine(): Promise<Recipe> {
  const out = test.info().outputPath('demo');
  await promisify(execFile)('npm', ['run', 'edit', '--', '--demo', '--out', out]);
  return JSON.parse(await readFile(`${out}/recipe.json`, 'utf8'));
}
