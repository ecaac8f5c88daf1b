import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { chromium, type LaunchOptions } from 'playwright';

const SYSTEM = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/microsoft-edge',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/** Path of a usable Chromium: `CHROMIUM_PATH`, Playwright's own download, else a system Chrome or Chromium. */
export function findChromium(): string | undefined {
  return [process.env.CHROMIUM_PATH, chromium.executablePath(), ...SYSTEM].find(
    (path) => path && existsSync(path),
  );
}

/** WEBGPU_ADAPTER=hardware: WebGPU on this machine's GPU, which on Linux is reached through Vulkan. */
export const onHardware = process.env.WEBGPU_ADAPTER === 'hardware';

const SOFTWARE_ADAPTER = ['--use-webgpu-adapter=swiftshader'];
const HARDWARE_ADAPTER = [
  '--ignore-gpu-blocklist',
  ...(process.platform === 'linux'
    ? [
        '--enable-features=Vulkan,VulkanFromANGLE,DefaultANGLEVulkan',
        '--use-angle=vulkan',
        '--disable-vulkan-surface',
      ]
    : []),
];

/** Launch options that give headless Chromium WebGPU: a software adapter (SwiftShader), unless hardware is asked for. */
export function chromiumLaunch(): LaunchOptions {
  const executablePath = findChromium();
  return {
    ...(executablePath && { executablePath }),
    ...(onHardware && { ignoreDefaultArgs: ['--enable-unsafe-swiftshader'] }),
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      '--enable-unsafe-webgpu',
      ...(onHardware ? HARDWARE_ADAPTER : SOFTWARE_ADAPTER),
    ],
  };
}

/**
 * Path of a Chromium that starts, installed when there is none: Playwright's download, else the system's packages.
 *
 * @throws Error that says in one line what to do
 */
export async function ensureChromium(): Promise<string> {
  const asked = process.env.CHROMIUM_PATH;
  if (asked && !existsSync(asked)) throw new Error(`CHROMIUM_PATH is ${asked}, where there is no file.`);
  const found = findChromium();
  if (found && starts(found)) return found;
  console.log(found ? `${found} does not start; installing a Chromium` : 'no Chromium found; installing one');
  for (const install of [await playwrightInstall(), ...systemInstalls()]) {
    if (!install) continue;
    console.log(`  ${install.join(' ')}`);
    spawnSync(install[0]!, install.slice(1), { stdio: 'inherit', timeout: 10 * 60_000 });
    const path = findChromium();
    if (path && starts(path)) return path;
  }
  throw new Error(
    'No Chromium starts here and none could be installed. Install Chrome or Chromium, or set CHROMIUM_PATH to one.',
  );
}

/** False where libraries are missing. Windows' Chrome would open a window, so there it is believed. */
function starts(path: string): boolean {
  if (process.platform === 'win32') return true;
  return spawnSync(path, ['--version', '--no-sandbox'], { timeout: 30_000 }).status === 0;
}

const isRoot = (): boolean => process.getuid?.() === 0;

/** Playwright's download with, for root on Linux, the libraries it needs. Undefined when its host is out of reach. */
async function playwrightInstall(): Promise<string[] | undefined> {
  const proxied = process.env.HTTPS_PROXY ?? process.env.https_proxy ?? process.env.PLAYWRIGHT_DOWNLOAD_HOST;
  const reached = proxied ?? (await reaches('https://cdn.playwright.dev'));
  if (!reached) return undefined;
  const cli = join(dirname(createRequire(import.meta.url).resolve('playwright/package.json')), 'cli.js');
  const deps = process.platform === 'linux' && isRoot() ? ['--with-deps'] : [];
  return [process.execPath, cli, 'install', ...deps, 'chromium'];
}

const reaches = (url: string): Promise<boolean> =>
  fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5000) }).then(
    () => true,
    () => false,
  );

/** Commands of the package managers that are here and may be used. */
function systemInstalls(): string[][] {
  const managers: readonly (readonly [boolean, readonly string[]])[] = [
    [isRoot(), ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium']],
    [isRoot(), ['dnf', 'install', '-y', 'chromium']],
    [isRoot(), ['apk', 'add', 'chromium']],
    [isRoot(), ['pacman', '-S', '--noconfirm', 'chromium']],
    [process.platform === 'darwin', ['brew', 'install', '--cask', 'chromium']],
  ];
  return managers
    .filter(([allowed, [command]]) => allowed && spawnSync(command!, ['--version']).error === undefined)
    .flatMap(([, command]) => {
      const refresh = command[0] === 'apt-get' ? [['apt-get', 'update']] : [];
      return [...refresh, [...command]];
    });
}
