import { expect, type Page, test } from '@playwright/test';
import { expectAccessible, killEngine, Studio } from './app';

/** Collects what is announced from now on. */
async function announcements(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const said: string[] = [];
    const status = document.querySelector('[role=status]')!;
    new MutationObserver(() => said.push(status.textContent ?? '')).observe(status, {
      childList: true,
      characterData: true,
      subtree: true,
    });
    Object.assign(globalThis, { said });
  });
  return () => page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
}

/** Few enough for a slow machine; what is shown here holds for any number. */
async function fitWith(page: Page, values: Readonly<Record<string, number>>): Promise<void> {
  await page.getByRole('button', { name: 'How it fits' }).click();
  const form = page.getByRole('group', { name: 'How it fits' });
  for (const [name, value] of Object.entries(values)) {
    const field = form.getByRole('textbox', { name, exact: true });
    await field.fill(String(value));
    await field.press('Tab');
  }
  await page.getByRole('button', { name: 'How it fits' }).click();
}

test('one Run learns, fits and edits; what is up to date is skipped, what is out of date is said, a lost fit goes on', async ({
  page,
}) => {
  // every stage, one of them twice
  test.slow();
  const studio = new Studio(page);
  await studio.open();
  await studio.dropPhoto();
  await studio.source.fill('a photo of a cat on a wooden table');
  await studio.quick();
  await studio.set('Steps', 2);
  await studio.conceptFromDemo(2);
  await page.getByRole('button', { name: 'Use in edits' }).click();
  await fitWith(page, { Steps: 2, 'Sampling steps': 2, 'Guided samples': 1 });
  const stages = page.getByRole('list', { name: 'Stages' }).getByRole('listitem');
  await expect(stages).toHaveText([/^Learn to do/, /^Fit to do/, /^Edit to do/]);

  await studio.run.click();
  await expect(page.getByRole('progressbar', { name: 'Learning' })).toBeVisible();
  await expect(page.getByRole('progressbar', { name: 'Fitting' })).toBeVisible({ timeout: 150_000 });
  await expectAccessible(page, 'fitting');
  await expect(page.getByRole('button', { name: 'Take 1: Miso' })).toBeVisible({ timeout: 150_000 });
  await expect(stages).toHaveText([/^Learn up to date/, /^Fit up to date/, /^Edit up to date/]);
  await expect(page.getByRole('img', { name: 'Guided sample 1' })).toBeVisible();
  await expectAccessible(page, 'fitted');
  const exported = await studio.export();

  const said = await announcements(page);
  await studio.set('Seed', 7);
  await expect(stages.last()).toHaveText(/^Edit to do/);
  await studio.edit();
  expect((await said()).filter((words) => /Learning|Fitting/.test(words))).toEqual([]);

  const fit = stages.nth(1);
  const likeness = page.getByRole('slider', { name: 'Likeness' });
  await likeness.focus();
  await page.keyboard.press('ArrowRight');
  await expect(likeness).toHaveValue('55');
  await expect(fit).toHaveText(/^Fit out of date: its settings changed/);
  // other words too, and all of it back out of a picture that was made with it
  await page.getByRole('textbox', { name: 'Photo shows' }).fill('a photo of a cat');
  await studio.drop(exported);
  await page.getByRole('button', { name: 'Restore settings' }).click();
  await expect(fit).toHaveText(/^Fit up to date/);
  await expect(likeness).toHaveValue('50');

  // the guided samples are kept at once: a fit that is lost goes on from them
  await fitWith(page, { Steps: 5 });
  await page.getByRole('button', { name: 'Fit', exact: true }).click();
  await expect(page.getByText(/^Step [1-4] of 5/)).toBeVisible({ timeout: 120_000 });
  await killEngine(page);
  await expect(fit).toHaveText(/^Fit stopped at step \d of 5/);
  await expect(page.getByText('Saved in this browser')).toBeVisible();
  await page.reload();
  await expect(fit).toHaveText(/^Fit stopped at step \d of 5/);
  await page.getByRole('button', { name: 'Fit', exact: true }).click();
  await expect(page.getByRole('progressbar', { name: 'Fitting' })).toBeVisible();
  await expect(fit).toHaveText(/^Fit up to date/, { timeout: 120_000 });
});
