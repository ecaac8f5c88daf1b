import { expect, type Locator, test } from '@playwright/test';
import { expectAccessible, Studio } from './app';

/** What the screen shows in the middle of a picture, without focus rings and what floats at its edges. */
async function look(picture: Locator): Promise<string> {
  const { x, y, width, height } = (await picture.boundingBox())!;
  const clip = { x: x + width / 4, y: y + height / 4, width: width / 2, height: height / 2 };
  return (await picture.page().screenshot({ clip })).toString('base64');
}

test('a step of the demo is looked at, kept as a take, and gone on from', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await studio.quick();
  await studio.set('Steps', 4);
  await page.getByRole('button', { name: 'Try the demo' }).click();
  await expect(studio.takes).toHaveCount(1, { timeout: 150_000 });

  const frame = page.getByRole('slider', { name: 'Frame' });
  await expect(frame).toHaveValue('4');
  const canvas = page.getByRole('application');
  await page.getByRole('button', { name: 'Compare', exact: true }).click();
  const result = await look(canvas);
  const keep = page.getByRole('button', { name: 'Keep this frame' });
  await expect(keep).toBeDisabled();

  // by its own keys, wherever the focus is
  await canvas.focus();
  for (let i = 0; i < 2; i++) await page.keyboard.press(',');
  await expect(frame).toHaveValue('2');
  await expect(page.getByText('2 of 4', { exact: true })).toBeVisible();
  await expect.poll(() => look(canvas)).not.toBe(result);
  await page.keyboard.press('.');
  await expect(frame).toHaveValue('3');

  const direction = page.getByRole('button', { name: 'Direction' });
  const picture = await look(canvas);
  await direction.click();
  await expect(direction).toHaveAttribute('aria-pressed', 'true');
  await expect.poll(() => look(canvas)).not.toBe(picture);
  await expectAccessible(page, 'the direction of a frame');
  await direction.click();

  // what is on the canvas is not what would be saved, unless it is kept
  await page.getByRole('button', { name: 'Export', exact: true }).click();
  const saving = page.getByRole('dialog', { name: 'Export' });
  await expect(saving.getByRole('note')).toContainText('You are looking at frame 3 of 4.');
  await expectAccessible(page, 'exporting while a frame is looked at');
  await saving.getByRole('button', { name: 'Keep this frame' }).click();
  await expect(saving.getByRole('note')).toBeHidden();
  await page.keyboard.press('Escape');
  const kept = page.getByRole('button', { name: 'Take 2: bear, step 3 of 4' });
  await expect(kept).toHaveAttribute('aria-pressed', 'true');
  await expect(page.getByRole('list', { name: 'Takes' }).getByRole('button', { name: /^Take/ })).toHaveCount(
    2,
  );
  await expect.poll(() => look(canvas)).not.toBe(result);

  // the settings at hand: another seed turns it another way
  await studio.set('Seed', 11);
  await page.getByRole('button', { name: 'Branch here' }).click();
  await expect(page.getByRole('button', { name: 'Take 3: bear', exact: true })).toBeVisible({
    timeout: 120_000,
  });
  await expect(frame).toHaveValue('4');
  await expect.poll(() => look(canvas)).not.toBe(result);

  // as many words as the description has, each with a picture
  await page.getByRole('button', { name: 'Attention' }).click();
  const dialog = page.getByRole('dialog', { name: 'Attention' });
  const words = dialog.getByRole('radiogroup', { name: 'Words' }).getByRole('radio');
  await expect(words).toHaveText('a photo of a cat on a wooden table'.split(' '), { timeout: 120_000 });
  const heat = dialog.getByRole('img');
  await expect(heat).toHaveAccessibleName(/“cat” is looked for by the encoder and decoder/);
  const cat = await look(heat);
  await words.nth(4).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await expect(heat).toHaveAccessibleName(/“on”/);
  await expect.poll(() => look(heat)).not.toBe(cat);
  await dialog.getByRole('radio', { name: '8 × 8' }).click();
  await dialog.getByRole('radio', { name: 'Encoder' }).click();
  await expect(heat).toHaveAccessibleName(/by the encoder:/);
  await dialog.getByRole('radio', { name: 'Change to' }).click();
  await expect(words.nth(4)).toHaveText('bear');
  await expectAccessible(page, 'attention');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
});
