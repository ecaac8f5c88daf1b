import { defineConfig } from '@playwright/test';
import { chromiumLaunch } from '../tools/chromium.ts';

const port = Number(process.env.E2E_PORT ?? 4179);

/** End-to-end tests run against the production build, served as `npm start` serves it (cross-origin isolated). */
export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  // The engine alone keeps two cores busy: one page at a time, with room for a slow machine.
  workers: 1,
  timeout: 300_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  reporter: [['list'], ['json', { outputFile: '../.cache/test/e2e.json' }]],
  use: {
    baseURL: `http://localhost:${port}/`,
    launchOptions: chromiumLaunch(),
    // No trace: recording one takes the processor that the engine needs.
    screenshot: 'only-on-failure',
  },
  webServer: {
    command: `npx vite preview --port ${port} --strictPort --logLevel warn`,
    cwd: '..',
    url: `http://localhost:${port}/`,
    reuseExistingServer: false,
  },
});
