import { expect, type Page, test } from '@playwright/test';
import { expectAccessible, killEngine, Studio } from './app';

/** Collects the texts that a part of the page has from now on. */
async function texts(page: Page, selector: string): Promise<() => Promise<string[]>> {
  const seen = await page.evaluateHandle((of) => {
    const said: string[] = [];
    const part = document.querySelector(of)!;
    new MutationObserver(() => said.push(part.textContent ?? '')).observe(part, {
      childList: true,
      characterData: true,
      subtree: true,
    });
    return said;
  }, selector);
  return () => seen.jsonValue();
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

test('one Run learns, fits and edits; what is up to date is skipped, what is out of date is said, a lost fit goes on or starts over', async ({
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

  const said = await texts(page, '[role=status]');
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
  await expect(fit).toHaveText(/^Fit stopped/);
  await expect(page.getByText('Saved in this browser')).toBeVisible();
  await page.reload();
  await expect(fit).toHaveText(/^Fit stopped/);
  await expectAccessible(page, 'fit interrupted');
  const inversion = 'Tracing the photo back to noise';
  const resumed = await texts(page, '[aria-label=Run]');
  await fit.getByRole('button', { name: 'Resume' }).click();
  await expect(page.getByRole('progressbar', { name: 'Fitting' })).toBeVisible();
  await expect(fit).toHaveText(/^Fit up to date/, { timeout: 240_000 });
  expect((await resumed()).join()).not.toContain(inversion);

  // so are samples in the making; whoever wants to can begin afresh
  const interrupt = async (): Promise<void> => {
    await expect(page.getByText('Trying the concept in this layout')).toBeVisible({ timeout: 240_000 });
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect(fit).toHaveText(/^Fit stopped before step 1/);
  };
  await fitWith(page, { 'Sampling steps': 10 });
  await page.getByRole('button', { name: 'Fit', exact: true }).click();
  await interrupt();
  const again = await texts(page, '[aria-label=Run]');
  await fit.getByRole('button', { name: 'Start over' }).click();
  await interrupt();
  expect((await again()).join()).toContain(inversion);
  const rest = await texts(page, '[aria-label=Run]');
  await fit.getByRole('button', { name: 'Resume' }).click();
  await expect(fit).toHaveText(/^Fit [1-5] of 5/, { timeout: 240_000 });
  expect((await rest()).join()).not.toContain(inversion);
  await expect(stages.first()).toHaveText(/^Learn up to date/);
});
