import { expect, test } from '@playwright/test';
import sharp from 'sharp';
import { reference, Studio } from './app';

test('a concept is made of dropped pictures, told what is wrong with them, and survives reload and undo', async ({
  page,
}) => {
  const studio = new Studio(page);
  await studio.open();
  const [first, second] = await Promise.all([reference(1), reference(2)]);
  const again = await sharp(first.bytes).resize(300).jpeg().toBuffer();
  await studio.drop(first, second, { ...first, bytes: again });
  await expect(page.getByText('Picture 3 is nearly the same as picture 1.')).toBeVisible();
  await page.getByRole('textbox', { name: 'Name' }).fill('Miso');
  await page.getByRole('textbox', { name: 'It is a' }).fill('cat');

  await page.getByRole('button', { name: /^Picture 3/ }).click();
  await page.getByRole('button', { name: 'Remove picture' }).click();
  await expect(page.getByText('nearly the same')).toBeHidden();

  // one more picture: with no photo it is the photo, with a photo it is asked
  await studio.dropPhoto();
  await studio.drop(await reference(4));
  const dialog = page.getByRole('dialog', { name: 'What is this picture for?' });
  await expect(dialog).toBeVisible();
  // one question at a time
  await page.dispatchEvent('body', 'dragover', {
    dataTransfer: await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([], 'other.png', { type: 'image/png' }));
      return transfer;
    }),
  });
  await expect(page.getByText(/^Drop to /)).toBeHidden();
  await dialog.getByRole('button', { name: 'Add to Miso' }).click();
  await expect(page.getByRole('button', { name: /^Picture \d/ })).toHaveCount(3);
  await expect(page.getByText('1024 × 768 · 0.79 MP')).toBeVisible();

  await expect(page.getByText('Saved in this browser')).toBeVisible();
  await page.reload();
  await page.getByRole('button', { name: /^Miso/ }).click();
  await expect(page.getByRole('textbox', { name: 'It is a' })).toHaveValue('cat');
  await expect(page.getByRole('button', { name: /^Picture \d/ })).toHaveCount(3);
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByRole('button', { name: /^Miso/ })).toBeHidden();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('button', { name: /^Miso/ })).toBeVisible();
});

test('a file that is no concept, or one for another base, is refused with the reason', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  const header = JSON.stringify({ emb_params: { dtype: 'F32', shape: [1, 768], data_offsets: [0, 3072] } });
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  const bytes = Buffer.concat([size, Buffer.from(header), Buffer.alloc(3072)]);
  await studio.drop({ name: 'other.safetensors', type: '', bytes });
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('was made for Stable Diffusion 1');
  await studio.drop({ name: 'broken.pt', type: '', bytes: Buffer.from('nothing') });
  await expect(alert).toContainText('broken.pt');
  await expect(page.getByRole('button', { name: /concept$/i, expanded: true })).toHaveCount(0);
});
