import { expect, test } from '@playwright/test';
import { Studio } from './app';

test.beforeEach(async ({ page }) => {
  const studio = new Studio(page);
  await studio.open();
  await studio.dropPhoto();
});

test('the square is moved and resized with the pointer, the keyboard and the fields, and each can be undone', async ({
  page,
}) => {
  const canvas = page.getByRole('application');
  const field = (name: string) => page.getByRole('textbox', { name, exact: true });
  const values = () => Promise.all(['X', 'Y', 'Size'].map((name) => field(name).inputValue()));
  expect(await values()).toEqual(['128', '0', '768']);

  await field('Size').fill('300');
  await field('Size').press('Tab');
  expect(await values()).toEqual(['128', '0', '300']);

  await canvas.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ArrowDown');
  await expect.poll(values).toEqual(['129', '10', '300']);
  await page.keyboard.press('Alt+ArrowUp');
  await expect.poll(values).toEqual(['129', '10', '301']);
  await page.waitForTimeout(700);
  await page.keyboard.press('Control+z');
  await expect.poll(values).toEqual(['128', '0', '300']);
  await page.keyboard.press('Control+Shift+z');
  await expect.poll(values).toEqual(['129', '10', '301']);

  // draw a new one: it is square and stays inside the photo
  await page.keyboard.press('c');
  const box = (await canvas.boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 5, box.y + box.height - 5, { steps: 4 });
  await page.mouse.up();
  const [x, y, size] = (await values()).map(Number) as [number, number, number];
  expect([x, y, size].every(Number.isInteger)).toBe(true);
  expect(size).toBeGreaterThan(200);
  expect(Math.max(x + size - 1024, y + size - 768)).toBeLessThanOrEqual(0);
  await page.keyboard.press('Control+z');
  await expect.poll(values).toEqual(['129', '10', '301']);
});

test('a mask is painted, inverted, cleared and undone', async ({ page }) => {
  const canvas = page.getByRole('application');
  await page.getByRole('button', { name: 'Paint mask' }).click();
  const box = (await canvas.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.45, box.y + box.height * 0.5);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.55, box.y + box.height * 0.5, { steps: 6 });
  await page.mouse.up();
  const painted = page.getByText('Painted: only the tinted area changes.');
  await expect(painted).toBeVisible();
  await page.getByRole('button', { name: 'Invert' }).click();
  await page.getByRole('button', { name: 'Clear' }).click();
  await expect(painted).toBeHidden();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(painted).toBeVisible();
  for (const _ of ['invert', 'paint']) await page.getByRole('button', { name: 'Undo' }).click();
  await expect(painted).toBeHidden();

  // without a pointer: arrows move the brush, Enter paints
  await canvas.focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Enter');
  await expect(painted).toBeVisible();
});

test('zoom fits, grows about the middle and shows its percentage', async ({ page }) => {
  const percent = page.getByRole('button', { name: /^Zoom \d+ %/ });
  const value = async () => Number.parseInt((await percent.textContent())!, 10);
  const fitted = await value();
  await page.getByRole('button', { name: 'Zoom in' }).click();
  expect(await value()).toBeGreaterThan(fitted);
  await percent.click();
  expect(await value()).toBe(100);
  await page.getByRole('application').focus();
  await page.keyboard.press('Control+0');
  expect(await value()).toBe(fitted);
});
