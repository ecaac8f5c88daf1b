import { readFile } from 'node:fs/promises';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Locator, type Page, type Worker } from '@playwright/test';
import sharp from 'sharp';

export interface NamedFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** The bundled demo scene as a phone would store it: pixels lying on their side, orientation 6 ("turn me clockwise"). */
export async function phoneJpeg(): Promise<NamedFile & { readonly upright: Buffer }> {
  const upright = await sharp(new URL('../public/demo/cat-on-table.jpg', import.meta.url).pathname)
    .png()
    .toBuffer();
  const bytes = await sharp(upright)
    .rotate(-90)
    .jpeg({ quality: 92 })
    .withMetadata({ orientation: 6 })
    .toBuffer();
  return { name: 'IMG_2041.jpg', type: 'image/jpeg', bytes, upright };
}

/** A picture of the demo's figure "Miso". */
export const reference = async (n: number): Promise<NamedFile> => ({
  name: `miso-${n}.jpg`,
  type: 'image/jpeg',
  bytes: await readFile(new URL(`../public/demo/miso-${n}.jpg`, import.meta.url)),
});

/** ORT's threads are workers too; ours is the one with the engine in it. */
export const engineOf = (page: Page): Worker => page.workers().find((worker) => /engine/.test(worker.url()))!;

/** The engine dies as it does when the system takes its memory: in the middle of whatever it does. */
export const killEngine = (page: Page): Promise<void> =>
  engineOf(page).evaluate(() => {
    setTimeout(() => {
      throw new Error('killed by the test');
    });
  });

/** SHA-256 of the tensors of a concept's file alone: its header also says when it was learned. */
export function learnedIn({ bytes }: NamedFile): string {
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString()) as {
    readonly __metadata__: { readonly sshs_model_hash: string };
  };
  return header.__metadata__.sshs_model_hash;
}

/** The studio as a person uses it: every locator is a role and a name, or a label. */
export class Studio {
  readonly page: Page;
  readonly run: Locator;
  readonly stop: Locator;
  readonly progress: Locator;
  readonly compare: Locator;
  readonly status: Locator;
  readonly source: Locator;
  readonly target: Locator;
  readonly takes: Locator;

  constructor(page: Page) {
    this.page = page;
    this.run = page.getByRole('button', { name: 'Run', exact: true });
    this.stop = page.getByRole('button', { name: 'Stop', exact: true });
    this.progress = page.getByRole('progressbar', { name: 'Editing' });
    this.compare = page.getByRole('slider', { name: 'Compare before and after' });
    this.status = page.getByRole('status');
    this.source = page.getByRole('textbox', { name: 'Photo shows' });
    this.target = page.getByRole('textbox', { name: 'Change to' });
    this.takes = page.getByRole('button', { name: /^Take \d/ });
  }

  async open(): Promise<void> {
    // the system's dialog for folders cannot be driven: the studio then uses a file field
    await this.page.addInitScript(() => Reflect.deleteProperty(globalThis, 'showDirectoryPicker'));
    await this.page.goto('.');
    await expect(this.page.getByRole('button', { name: 'Try the demo' })).toBeVisible();
  }

  /** Drop files somewhere on the window, as the system does. */
  async drop(...files: readonly NamedFile[]): Promise<void> {
    const data = await this.page.evaluateHandle(
      (dropped) => {
        const transfer = new DataTransfer();
        for (const { name, type, base64 } of dropped) {
          const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
          transfer.items.add(new File([bytes], name, { type }));
        }
        return transfer;
      },
      files.map(({ name, type, bytes }) => ({ name, type, base64: bytes.toString('base64') })),
    );
    await this.page.dispatchEvent('body', 'dragover', { dataTransfer: data });
    await expect(this.page.getByText(/^Drop to /)).toBeVisible();
    await this.page.dispatchEvent('body', 'drop', { dataTransfer: data });
  }

  /** Open a model's folder through the file field, as browsers do that have no dialog for folders. */
  async openModel(folder: string): Promise<void> {
    const chooser = this.page.waitForEvent('filechooser');
    await this.page.getByRole('button', { name: 'Open model…' }).click();
    await (await chooser).setFiles(folder);
  }

  /** The demo's pictures of a figure become a concept, its card open; `Learn` has this many steps to do. */
  async conceptFromDemo(steps: number): Promise<void> {
    await this.drop(...(await Promise.all([1, 2, 3, 4].map(reference))));
    await this.page.getByRole('textbox', { name: 'Name' }).fill('Miso');
    await this.page.getByRole('textbox', { name: 'It is a' }).fill('cat');
    await this.page.getByRole('radio', { name: 'Quick' }).click();
    await this.page.getByRole('button', { name: 'How it learns' }).click();
    const form = this.page.getByRole('group', { name: 'How it learns' });
    const field = form.getByRole('textbox', { name: 'Steps' });
    await field.fill(String(steps));
    await field.press('Tab');
    await expect(this.page.getByText(new RegExp(`^Will run ${steps} steps`))).toBeVisible();
    await this.page.getByRole('button', { name: 'How it learns' }).click();
  }

  /** Save the concept whose card is open. */
  async exportConcept(): Promise<NamedFile> {
    const download = this.page.waitForEvent('download');
    await this.page.getByRole('button', { name: 'Export concept' }).click();
    const file = await download;
    return { name: file.suggestedFilename(), type: '', bytes: await readFile(await file.path()) };
  }

  async importConcept({ name, bytes }: NamedFile): Promise<void> {
    const chooser = this.page.waitForEvent('filechooser');
    await this.page.getByRole('button', { name: 'Import concept' }).click();
    await (await chooser).setFiles({ name, mimeType: '', buffer: bytes });
    await expect(this.page.getByText(/: (\d+) of \1 keys matched\.$/).first()).toBeVisible();
  }

  /** Drop the phone photo and wait until it is the photo. */
  async dropPhoto(): Promise<Awaited<ReturnType<typeof phoneJpeg>>> {
    const photo = await phoneJpeg();
    await this.drop(photo);
    await expect(this.page.getByText('1024 × 768 · 0.79 MP')).toBeVisible();
    return photo;
  }

  async describe(source: string, target: string): Promise<void> {
    await this.source.fill(source);
    await this.target.fill(target);
  }

  async set(label: string, value: number): Promise<void> {
    const field = this.page.getByRole('textbox', { name: label, exact: true });
    await field.fill(String(value));
    await field.press('Tab');
  }

  /** As little work as an edit can be; steps are set by each test. */
  async quick(): Promise<void> {
    const advanced = this.page.getByRole('button', { name: 'Advanced' });
    if ((await advanced.getAttribute('aria-expanded')) === 'false') await advanced.click();
    await this.set('Outline samples', 1);
  }

  /** Choose what the engine runs on; the advanced settings are open. */
  async runsOn(choice: string): Promise<void> {
    await this.page.getByRole('button', { name: 'Runs on' }).click();
    await this.page.getByRole('option', { name: choice }).click();
  }

  /** Run an edit to its end. @param timeout  ms */
  async edit(timeout = 150_000): Promise<void> {
    const before = await this.takes.count();
    await this.run.click();
    await expect(this.status).toHaveText('Editing started.');
    await expect(this.takes).toHaveCount(before + 1, { timeout });
    await expect(this.status).toHaveText(/^Done in /);
  }

  /** Export the shown take and read the file that was saved. */
  async export(format: 'PNG' | 'JPEG' | 'WebP' = 'PNG'): Promise<NamedFile> {
    await this.page.getByRole('button', { name: 'Export', exact: true }).click();
    const dialog = this.page.getByRole('dialog', { name: 'Export' });
    await dialog.getByRole('radio', { name: format }).click();
    const download = this.page.waitForEvent('download');
    await dialog.getByRole('button', { name: /^Save .*\./ }).click();
    const file = await download;
    const bytes = await readFile(await file.path());
    await expect(dialog).toBeHidden();
    return { name: file.suggestedFilename(), type: `image/${format.toLowerCase()}`, bytes };
  }
}

/** Raw RGB of an encoded picture. */
export async function pixels(bytes: Buffer): Promise<{ width: number; height: number; data: Buffer }> {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

/** No finding of axe in the page as it is. @param state  what it is in, for the message */
export async function expectAccessible(page: Page, state: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    // a tooltip only repeats the name of the button it belongs to; React Aria puts it at the end of the page
    .exclude('[data-overlay-container]:has(> [role=tooltip])')
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  const found = violations.map(({ id, impact, nodes }) => `${state}: ${id} (${impact}) ${nodes[0]?.html}`);
  expect(found).toEqual([]);
}
