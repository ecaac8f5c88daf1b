import { expect, test } from '@playwright/test';
import { type NamedFile, phoneJpeg, reference, Studio } from './app';

const broken: readonly (readonly [string, NamedFile])[] = [
  ['an empty file', { name: 'empty.jpg', type: 'image/jpeg', bytes: Buffer.alloc(0) }],
  ['a web page', { name: 'page.jpg', type: 'image/jpeg', bytes: Buffer.from('<!doctype html><p>Not found') }],
  ['noise', { name: 'noise.png', type: 'image/png', bytes: Buffer.alloc(4096, 0xa7) }],
];

test('what is no picture is refused in words, and what was open stays', async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await studio.dropPhoto();
  const alert = page.getByRole('alert');
  for (const [what, file] of broken) {
    await studio.drop(file);
    await expect(alert, what).toContainText('This picture cannot be opened');
    await expect(alert, what).toContainText('Nothing was changed');
    await expect(page.getByText('1024 × 768 · 0.79 MP')).toBeVisible();
    await alert.getByRole('button', { name: 'Close' }).click();
    await expect(alert).toBeEmpty();
  }
  // among several, the others are kept
  await studio.drop(broken[2]![1], await reference(1), await reference(2));
  await expect(page.getByText(/^noise\.png was left out/).first()).toBeVisible();
  await expect(page.getByRole('textbox', { name: 'Name' })).toBeVisible();
  await expect(page.getByText('New concept with 2 pictures.')).toBeVisible();
});

test('a photo is chosen, pasted and dropped; text that is dropped never leaves the page', async ({
  page,
}) => {
  const studio = new Studio(page);
  await studio.open();
  const photo = await phoneJpeg();
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Open photo' }).click();
  await (await chooser).setFiles({ name: 'chosen.jpg', mimeType: photo.type, buffer: photo.bytes });
  await expect(page.getByText('chosen.jpg', { exact: true })).toBeVisible();

  await page.evaluate((base64) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], 'pasted.jpg', { type: 'image/jpeg' }));
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  }, photo.bytes.toString('base64'));
  // with a photo open, a picture may also be for a concept
  await page.getByRole('button', { name: 'Replace photo' }).click();
  await expect(page.getByText('pasted.jpg', { exact: true })).toBeVisible();

  const left = await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.setData('text/uri-list', 'https://example.org/');
    return document.body.dispatchEvent(
      new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }),
    );
  });
  expect(left, 'the default action, leaving the page, was prevented').toBe(false);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText('chosen.jpg', { exact: true })).toBeVisible();
});
