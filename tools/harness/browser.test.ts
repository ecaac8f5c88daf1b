import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findChromium } from '../chromium';
import { withBrowser } from './browser';
import type { run } from './echo.browser';

const ECHO = 'tools/harness/echo.browser.ts';

test.skipIf(!findChromium())(
  'a module runs in an isolated worker: typed arrays, ordered events, errors with their code, files by range, what is held',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'harness-'));
    await writeFile(join(folder, 'file.bin'), 'abcdefgh');
    try {
      await withBrowser(async (browser) => {
        const events: unknown[] = [];
        const data = Float32Array.of(1.5, Number.POSITIVE_INFINITY);
        const doubled = await browser.call<typeof run>(ECHO, { data }, (event) => events.push(event));
        expect(doubled).toEqual(Float32Array.of(3, Number.POSITIVE_INFINITY));
        expect(events).toEqual([{ isolated: true }, ...Array.from({ length: 20 }, (_, i) => i)]);

        await expect(browser.call<typeof run>(ECHO, { fail: 'no room' })).rejects.toMatchObject({
          name: 'AppError',
          code: 'TOO_BIG',
          message: 'no room',
          details: { limit: 3 },
        });

        const before = await browser.heap();
        await browser.call<typeof run>(ECHO, { keep: 100_000 });
        const after = await browser.heap();
        for (const part of ['all', 'data'] as const) {
          expect((after[part] - before[part]) / 100_000).toBeGreaterThan(12);
          expect((after[part] - before[part]) / 100_000).toBeLessThan(60);
        }

        const served = browser.serve(folder);
        const get = (path: string) => browser.call<typeof run>(ECHO, { fetch: served + path });
        expect(await get('file.bin')).toEqual({ status: 206, text: 'bcde' });
        expect(await get('missing.bin')).toMatchObject({ status: 404 });
        expect(await get('..%2f..%2fetc%2fpasswd')).toMatchObject({ status: 404 });
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  180_000,
);
