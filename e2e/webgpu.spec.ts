import { expect, test } from '@playwright/test';
import { killEngine, learnedIn, Studio } from './app';
import { modelFolder, tinyModelFiles } from './tiny-model';

/** Few enough for a graphics card that the processor plays; what is shown here holds for any number. */
const STEPS = 2;

test('on WebGPU a concept is learned on an opened model, resumed to the same bits after a kill, exported, imported and edited with', async ({
  page,
}) => {
  // a minute on an idle machine, most of it the compiling of shaders, which every fresh engine does again
  test.setTimeout(1_800_000);
  const studio = new Studio(page);
  await studio.open();
  const adapter = await page.evaluate(async () => (await navigator.gpu?.requestAdapter()) != null);
  test.skip(!adapter, 'this browser has no WebGPU adapter, not even one in software');

  await studio.openModel(await modelFolder(await tinyModelFiles()));
  await expect(studio.status).toHaveText('Tiny test model is open.');
  await studio.dropPhoto();
  await studio.source.fill('a photo of a cat on a wooden table');
  await studio.quick();
  await studio.set('Steps', 1);
  await studio.runsOn('Graphics card (WebGPU)');
  await expect(page.getByText('Edits run on the graphics card.')).toBeVisible({ timeout: 120_000 });
  await page.getByRole('button', { name: 'Graphics memory' }).click();
  await page.getByRole('option', { name: '8 GB', exact: true }).click();
  await expect(page.getByRole('button', { name: '8 GB Graphics memory' })).toBeEnabled({ timeout: 120_000 });

  await studio.conceptFromDemo(STEPS);
  const learned = page.getByText('Miso is learned', { exact: true });
  await page.getByRole('button', { name: 'Learn', exact: true }).click();
  await expect(learned).toBeVisible({ timeout: 600_000 });
  const whole = await studio.exportConcept();

  await page.getByRole('button', { name: 'Learn again' }).click();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText(`Step 1 of ${STEPS}, paused`)).toBeVisible({ timeout: 600_000 });
  await killEngine(page);
  await expect(page.getByText(`Miso stopped at step 1 of ${STEPS}.`)).toBeVisible();
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(learned).toBeVisible({ timeout: 600_000 });
  await expect(page.getByText('Edits run on the graphics card.')).toBeVisible();
  const resumed = await studio.exportConcept();
  expect(learnedIn(resumed)).toMatch(/^[0-9a-f]{64}$/);
  expect(learnedIn(resumed)).toBe(learnedIn(whole));

  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await studio.importConcept(resumed);
  await page.getByRole('button', { name: 'Use in edits' }).click();
  // as it was learned: fitting it to the photo first is another test's
  await page.getByText('Fit to this photo').click();
  await studio.edit(600_000);
  await expect(page.getByRole('button', { name: 'Take 1: Miso' })).toBeVisible();
});
