import { clientsClaim } from 'workbox-core';
import type { WorkboxPlugin } from 'workbox-core/types';
import {
  addPlugins,
  cleanupOutdatedCaches,
  createHandlerBoundToURL,
  precacheAndRoute,
} from 'workbox-precaching';
import { createPartialResponse } from 'workbox-range-requests';
import { NavigationRoute, registerRoute } from 'workbox-routing';
import { CacheFirst, NetworkOnly } from 'workbox-strategies';
import { responseHeaders } from '../src/response-headers';

/** What is used of ServiceWorkerGlobalScope, which TypeScript's DOM library does not have. */
declare const self: {
  /** every file of the build with the hash of its content; filled in by the build */
  readonly __WB_MANIFEST: readonly { readonly url: string; readonly revision: string | null }[];
  readonly location: Location;
  addEventListener(
    type: 'activate',
    listener: (event: { waitUntil(done: Promise<unknown>): void }) => void,
  ): void;
};

/** The page and its code are stored at once; models, ORT's wasm and photos when they are first used. */
const SHELL = /\.(html|js|css|webmanifest)$|^icons\//;
const files = self.__WB_MANIFEST;

/** Sends what the host may have left out; a new Response because those of fetch and of caches are immutable. */
const secured: WorkboxPlugin = {
  handlerWillRespond: async ({ response }) => {
    if (response.type === 'error' || response.type === 'opaqueredirect') return response;
    const headers = new Headers(response.headers);
    for (const [name, value] of Object.entries(responseHeaders)) headers.set(name, value);
    const { status, statusText } = response;
    return new Response([204, 205, 304].includes(status) ? null : response.body, {
      status,
      statusText,
      headers,
    });
  },
};

addPlugins([secured]);
precacheAndRoute(files.filter(({ url }) => SHELL.test(url)));
cleanupOutdatedCaches();
registerRoute(new NavigationRoute(createHandlerBoundToURL('index.html')));

const FIRST_USE = 'first-use';
/** address → key in the cache, which changes with the file's content */
const keys = new Map(
  files
    .filter(({ url }) => !SHELL.test(url))
    .map(({ url, revision }) => {
      const key = new URL(url, self.location.href);
      const address = key.href;
      if (revision) key.searchParams.set('revision', revision);
      return [address, key.href];
    }),
);
registerRoute(
  ({ url }) => keys.has(url.href),
  new CacheFirst({
    cacheName: FIRST_USE,
    plugins: [
      {
        cacheKeyWillBeUsed: async ({ request }) => keys.get(request.url) ?? request,
        // A part of a file cannot be cached: fetch it whole, answer with the part.
        requestWillFetch: async ({ request }) => new Request(request.url),
        handlerWillRespond: async ({ request, response }) =>
          request.headers.has('range') && response.ok ? createPartialResponse(request, response) : response,
      },
      secured,
    ],
  }),
);
self.addEventListener('activate', (event) => {
  const current = new Set(keys.values());
  const dropOutdated = async () => {
    const cache = await caches.open(FIRST_USE);
    const outdated = (await cache.keys()).filter(({ url }) => !current.has(url));
    await Promise.all(outdated.map((request) => cache.delete(request)));
  };
  event.waitUntil(dropOutdated());
});

registerRoute(({ sameOrigin }) => sameOrigin, new NetworkOnly({ plugins: [secured] }));

// Controls the first page at once. No skipWaiting: an update takes over when every tab is closed, never under a running job.
clientsClaim();
