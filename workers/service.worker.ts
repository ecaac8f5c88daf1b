import { clientsClaim } from 'workbox-core';
import type { RouteHandlerCallbackOptions, WorkboxPlugin } from 'workbox-core/types';
import {
  addPlugins,
  cleanupOutdatedCaches,
  createHandlerBoundToURL,
  precacheAndRoute,
} from 'workbox-precaching';
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
const RANGE = /^bytes=(\d+)-(\d*)$/;
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
const firstUse = new CacheFirst({
  cacheName: FIRST_USE,
  plugins: [{ cacheKeyWillBeUsed: async ({ request }) => keys.get(request.url) ?? request }, secured],
});

/** Files read in parts, by address: a model's tensors are hundreds of parts, and the cache would copy it for each. */
const wholes = new Map<string, Promise<Blob>>();

/** Answers a request for a range: a part cannot be cached, so the file is fetched and stored whole. */
async function part({ event, request, url }: RouteHandlerCallbackOptions): Promise<Response> {
  let whole = wholes.get(url.href);
  if (!whole) {
    whole = firstUse.handle({ event, request: new Request(url) }).then((response) => {
      if (response.ok) return response.blob();
      throw new Error(`${url.pathname}: the host answered ${response.status}`);
    });
    whole.catch(() => wholes.delete(url.href));
    wholes.set(url.href, whole);
  }
  const blob = await whole;
  const { size, type } = blob;
  const [, first, last] = RANGE.exec(request.headers.get('range') ?? '') ?? [];
  const begin = Number(first);
  const end = last ? Math.min(Number(last) + 1, size) : size;
  const headers = { ...responseHeaders, 'Content-Type': type };
  if (begin >= end) {
    return new Response(null, { status: 416, headers: { ...headers, 'Content-Range': `bytes */${size}` } });
  }
  return new Response(blob.slice(begin, end), {
    status: 206,
    headers: { ...headers, 'Content-Range': `bytes ${begin}-${end - 1}/${size}` },
  });
}

registerRoute(
  ({ url, request }) => keys.has(url.href) && RANGE.test(request.headers.get('range') ?? ''),
  part,
);
registerRoute(({ url }) => keys.has(url.href), firstUse);

self.addEventListener('activate', (event) => {
  const current = new Set(keys.values());
  const dropOutdated = async () => {
    const cache = await caches.open(FIRST_USE);
    const outdated = (await cache.keys()).filter(({ url }) => !current.has(url));
    await Promise.all(outdated.map((request) => cache.delete(request)));
  };
  event.waitUntil(dropOutdated());
});

/** Every file of the build has a route above: what is left does not exist, and offline no host is there to say so. */
const absent: WorkboxPlugin = { handlerDidError: async () => new Response(null, { status: 404 }) };
registerRoute(({ sameOrigin }) => sameOrigin, new NetworkOnly({ plugins: [absent, secured] }));

// Controls the first page at once. No skipWaiting: an update takes over when every tab is closed, never under a running job.
clientsClaim();
