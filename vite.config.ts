import react from '@vitejs/plugin-react';
import { playwright } from '@vitest/browser-playwright';
import type { Plugin } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { defineConfig } from 'vitest/config';
import { isolationHeaders, pagePolicy, responseHeaders } from './src/response-headers.ts';
import { chromiumLaunch } from './tools/chromium.ts';

/** The build says nothing when all is well. */
const checks = { bundlerTimings: false };
const quiet: Plugin = { name: 'quiet', config: () => ({ logLevel: 'warn' }) };

/** Puts the policy into the built page, where it holds on every host; the development server needs inline scripts. */
const contentSecurityPolicy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    {
      tag: 'meta',
      attrs: { 'http-equiv': 'Content-Security-Policy', content: pagePolicy },
      injectTo: 'head-prepend',
    },
  ],
};

/** Offline use, and the isolation headers on hosts that cannot send them (docs/hosting.md). Built only, not in development. */
const serviceWorker = VitePWA({
  strategies: 'injectManifest',
  srcDir: 'workers',
  filename: 'service.worker.ts',
  injectRegister: false,
  injectManifest: {
    rollupFormat: 'iife',
    buildPlugins: { vite: [quiet] },
    globPatterns: ['**/*'],
    globIgnores: ['**/*.map', '.vite/**'],
    maximumFileSizeToCacheInBytes: 2 ** 30,
    dontCacheBustURLsMatching: /^assets\//,
  },
  includeManifestIcons: false,
  manifest: {
    name: 'DreamSteerer Studio',
    short_name: 'DreamSteerer',
    description: 'Swap what a photo shows, with a diffusion model that runs inside the browser.',
    start_url: '.',
    scope: '.',
    display: 'standalone',
    background_color: '#1b1b1d',
    theme_color: '#1b1b1d',
    icons: [
      { src: 'icons/icon.svg', sizes: 'any', type: 'image/svg+xml' },
      { src: 'icons/icon-192.png', sizes: '192x192', type: 'image/png' },
      { src: 'icons/icon-512.png', sizes: '512x512', type: 'image/png' },
      { src: 'icons/maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
    ],
  },
});

export default defineConfig({
  base: './',
  plugins: [react(), contentSecurityPolicy, serviceWorker],
  // ORT's threaded glue starts pthreads from the chunk it lives in: it must stay a chunk of its own.
  worker: { format: 'es', rolldownOptions: { checks } },
  build: {
    target: 'esnext',
    assetsInlineLimit: 0,
    // tools/page-weight.ts measures by these two: what index.html loads, and which modules are in it.
    manifest: true,
    sourcemap: true,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: { checks },
  },
  optimizeDeps: { exclude: ['onnxruntime-web'] },
  server: { headers: isolationHeaders },
  preview: { headers: responseHeaders },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          environment: 'node',
          include: ['src/**/*.test.ts', 'tools/**/*.test.ts', 'bench/**/*.test.ts'],
          exclude: ['src/**/*.gpu.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        // One found late would reload the page in the middle of a test.
        optimizeDeps: {
          include: [
            '@huggingface/tokenizers',
            'comlink',
            'exifreader',
            'fflate',
            'idb',
            'ml-matrix',
            'pica',
            'protobufjs/light',
          ],
        },
        test: {
          name: 'gpu',
          include: ['src/**/*.gpu.test.ts'],
          testTimeout: 300_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: chromiumLaunch() }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
