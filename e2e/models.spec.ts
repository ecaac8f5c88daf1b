import { expect, test } from '@playwright/test';
import { expectAccessible, Studio } from './app';
import { modelFolder, tinyModelFiles } from './tiny-model';

const named = 'Tiny test model';

test('a model folder is opened, edited with, remembered over a reload, put aside and removed', async ({
  page,
}) => {
  const studio = new Studio(page);
  await studio.open();
  await studio.dropPhoto();
  await studio.openModel(await modelFolder(await tinyModelFiles()));
  await expect(studio.status).toHaveText(`${named} is open.`);
  const chosen = page.getByRole('button', { name: 'Model in use' });
  await expect(chosen).toContainText(named);
  await expect(page.getByText('16 × 16 px · 0.3 MB')).toBeVisible();
  await expectAccessible(page, 'a model of one’s own');

  await studio.describe('a photo of a cat on a wooden table', 'a photo of a dog on a wooden table');
  await studio.quick();
  await studio.set('Steps', 2);
  await studio.edit();
  await expect(page.getByText('Saved in this browser')).toBeVisible();

  await page.reload();
  await expect(chosen).toContainText(named);
  await studio.edit();

  // the starter again: its own size, and nothing of the other stays chosen
  await chosen.click();
  await page.getByRole('option', { name: 'Starter' }).click();
  await expect(page.getByText('128 × 128 px', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText('16 × 16 px · 0.3 MB')).toBeVisible();

  await page.getByRole('button', { name: 'Remove model' }).click();
  const dialog = page.getByRole('dialog', { name: `Remove ${named}?` });
  await expect(dialog).toContainText('This frees 0.3 MB');
  await expectAccessible(page, 'removing a model');
  await dialog.getByRole('button', { name: 'Remove it' }).click();
  await expect(studio.status).toHaveText(`${named} is removed.`);
  await expect(chosen).toBeHidden();
  // a project that asks for it says what is missing
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText(/^The model of this project is not in this browser/).first()).toBeVisible();
  await expect(studio.run).toBeDisabled();
  expect(await page.evaluate(storedModels)).toEqual([]);
});

test('a folder that is no model is refused with all that it lacks, and the model in use stays', async ({
  page,
}) => {
  const files = await tinyModelFiles();
  const { 'vae/config.json': _, 'tokenizer/merges.txt': __, ...incomplete } = files;
  const config = JSON.parse(new TextDecoder().decode(files['unet/config.json'])) as object;
  const odd = new TextEncoder().encode(JSON.stringify({ ...config, dual_cross_attention: true }));
  const studio = new Studio(page);
  await studio.open();
  const alert = page.getByRole('alert');
  for (const [folder, words] of [
    [incomplete, 'tiny-model lacks tokenizer/merges.txt, vae/config.json.'],
    [{ ...files, 'unet/config.json': odd }, 'config key "dual_cross_attention" is true'],
    [
      { ...files, 'unet/config.json': new TextEncoder().encode('{') },
      'unet/config.json is not a JSON object',
    ],
    [{ 'holiday.txt': new Uint8Array(3) }, 'tiny-model is not a model folder'],
  ] as const) {
    await studio.openModel(await modelFolder(folder));
    await expect(alert).toContainText('This model cannot be used');
    await expect(alert).toContainText(words);
    await alert.getByRole('button', { name: 'Close' }).click();
    await expect(alert).toBeEmpty();
  }
  await expect(page.getByText('128 × 128 px', { exact: true })).toBeVisible();
  expect(await page.evaluate(storedModels)).toEqual([]);
});

/** Names of the folders in which the page keeps models. */
async function storedModels(): Promise<string[]> {
  const root = await navigator.storage.getDirectory();
  const names: string[] = [];
  for await (const name of (await root.getDirectoryHandle('models')).keys()) names.push(name);
  return names;
}
