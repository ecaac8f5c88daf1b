import { afterEach, expect, test, vi } from 'vitest';
import { ensureChromium, findChromium } from './chromium';

afterEach(() => vi.unstubAllEnvs());

test('CHROMIUM_PATH comes first, and one that leads nowhere is said so', async () => {
  vi.stubEnv('CHROMIUM_PATH', process.execPath);
  expect(findChromium()).toBe(process.execPath);
  vi.stubEnv('CHROMIUM_PATH', '/nowhere/chromium');
  await expect(ensureChromium()).rejects.toThrow(
    'CHROMIUM_PATH is /nowhere/chromium, where there is no file.',
  );
});
