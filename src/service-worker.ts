/** A page that waits longer than this for its first service worker starts without it. */
const FIRST_INSTALL_MS = 10_000;
const RELOADED = 'reloaded-for-isolation';

/**
 * Registers the service worker (workers/service.worker.ts) and settles once it controls the page, so that what the page
 * loads next works offline. Where the host sent no COOP/COEP headers the page reloads once, now coming from the service
 * worker with those headers, and this promise stays pending. Call it before any work starts: later updates wait until
 * every tab is closed and never reload a page.
 *
 * Never rejects: without a service worker (old browser, insecure address, development server) the studio still runs,
 * online and with one WASM thread.
 */
export async function startServiceWorker(): Promise<void> {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const registration = await navigator.serviceWorker.register('./service.worker.js').catch(() => null);
  if (!registration) return;
  // A forced reload bypasses an active service worker; only a first install is worth waiting for.
  if (!navigator.serviceWorker.controller && !registration.active) await firstControl();
  if (crossOriginIsolated) sessionStorage.removeItem(RELOADED);
  else if (registration.active && !sessionStorage.getItem(RELOADED)) {
    sessionStorage.setItem(RELOADED, 'yes');
    location.reload();
    await new Promise(() => undefined);
  }
}

function firstControl(): Promise<unknown> {
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true });
    setTimeout(resolve, FIRST_INSTALL_MS);
  });
}
