import { expect, test } from '@playwright/test';
import { killEngine, learnedIn, Studio } from './app';

/** Few enough for a slow machine; what is shown here holds for any number. */
const STEPS = 3;

test('a concept is learned, tried while paused, resumed to the same bits after a kill and a reload, exported, imported and edited with', async ({
  page,
}) => {
  // the engine starts twice and prepares three runs
  test.setTimeout(600_000);
  const studio = new Studio(page);
  await studio.open();
  await studio.dropPhoto();
  await studio.source.fill('a photo of a cat on a wooden table');
  await studio.quick();
  await studio.set('Steps', 1);
  await studio.conceptFromDemo(STEPS);
  const learned = page.getByText('Miso is learned', { exact: true });

  await page.getByRole('button', { name: 'Learn', exact: true }).click();
  await expect(page.getByRole('progressbar', { name: 'Learning' })).toBeVisible();
  await expect(learned).toBeVisible({ timeout: 150_000 });
  await expect(page.getByRole('img', { name: `Miso after ${STEPS} steps, same seed` })).toBeVisible();
  await expect(page.getByText(new RegExp(`^Loss at step ${STEPS}: `))).toBeVisible();
  const whole = await studio.exportConcept();
  expect(whole.name).toBe('miso.safetensors');

  await page.getByRole('button', { name: 'Learn again' }).click();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('Step 1 of 3, paused')).toBeVisible({ timeout: 150_000 });
  // the photo's description is enough of a wish: the concept takes the place of what it is
  await page.getByRole('button', { name: 'Try on my photo' }).click();
  await expect(page.getByRole('button', { name: 'Take 1: Miso' })).toBeVisible({ timeout: 120_000 });

  await killEngine(page);
  const stopped = page.getByText('Miso stopped at step 1 of 3.');
  await expect(stopped).toBeVisible();
  await expect(page.getByText('Saved in this browser')).toBeVisible();
  await page.reload();
  await expect(stopped).toBeVisible();
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(learned).toBeVisible({ timeout: 150_000 });
  const resumed = await studio.exportConcept();
  expect(learnedIn(resumed)).toMatch(/^[0-9a-f]{64}$/);
  expect(learnedIn(resumed)).toBe(learnedIn(whole));

  // what was tried and the result stay within reach, without the drawer too
  await page.getByRole('button', { name: 'Use step 1', exact: true }).click();
  await expect(page.getByText('learned in 1 steps')).toBeVisible();
  await page.getByRole('button', { name: 'Use in the photo' }).click();
  await expect(learned).toBeHidden();
  await page.getByRole('button', { name: `Use step ${STEPS}, result` }).click();
  await expect(page.getByText(`learned in ${STEPS} steps`)).toBeVisible();

  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await studio.importConcept(resumed);
  await page.getByRole('button', { name: 'Use in edits' }).click();
  await expect(page.getByText('Read as “a photo of a v cat on a wooden table”.')).toBeVisible();
  // as it was learned: fitting it to the photo first is another test's
  await page.getByText('Fit to this photo').click();
  await studio.edit();
  await expect(page.getByRole('button', { name: 'Take 2: Miso' })).toBeVisible();
  await page.getByRole('button', { name: 'Used in edits' }).click();
  await expect(page.getByText(/^Read as/)).toBeHidden();
});
