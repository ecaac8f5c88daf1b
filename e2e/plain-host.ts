import { fileURLToPath } from 'node:url';
import { test as base } from '@playwright/test';
import { type PreviewServer, preview } from 'vite';

/**
 * Tests against the built studio in a sub-folder of a static host that sends no headers of its own, as on many free
 * hosts; `host.close()` takes the host away.
 */
export const test = base.extend<{ host: PreviewServer }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads from the pattern what a fixture needs
  host: async ({}, use) => {
    const host = await preview({
      configFile: false,
      logLevel: 'error',
      root: fileURLToPath(new URL('..', import.meta.url)),
      base: '/studio/',
      preview: { port: 0 },
    });
    await use(host);
    await host.close();
  },
  baseURL: ({ host }, use) => use(host.resolvedUrls!.local[0]),
});
