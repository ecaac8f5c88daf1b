import { chromium } from 'playwright';
import { preview } from 'vite';
import { chromiumLaunch } from './chromium';

/** Takes docs/screenshot.png: the demo edited in the built studio (`npm run build` first). `npx tsx tools/screenshot.ts` */
const server = await preview({ logLevel: 'warn', preview: { port: 0 } });
const browser = await chromium.launch(chromiumLaunch());
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.goto(server.resolvedUrls!.local[0]!);
await page.getByRole('button', { name: 'Try the demo' }).first().click();
await page
  .getByRole('status')
  .getByText(/^Done in /)
  .waitFor({ timeout: 30 * 60_000 });
await page.screenshot({ path: 'docs/screenshot.png' });
await browser.close();
await server.close();
