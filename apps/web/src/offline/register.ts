/** Start the service worker: the app then works without a network, and may use threads on hosts that send no headers. */

const PATIENCE = 4000; // milliseconds; the app works without, too
const RELOADED = "tadsr-reloaded-for-threads";

/**
 * Returns once the service worker answers this page's requests, so that what is fetched from now on is kept, or after a
 * few seconds without. Where the host does not isolate the page, it is loaded once more, now with the service worker's
 * headers.
 */
export async function startOffline(): Promise<void> {
  if (import.meta.env.DEV || !("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register(new URL("service-worker.js", document.baseURI));
    await Promise.race([controlled(), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  } catch {
    return; // private windows refuse
  }
  const reload = !crossOriginIsolated && navigator.serviceWorker.controller && !sessionStorage.getItem(RELOADED);
  if (!reload) return;
  sessionStorage.setItem(RELOADED, "yes");
  location.reload();
  await new Promise(() => {}); // nothing more on this page
}

async function controlled(): Promise<void> {
  if (navigator.serviceWorker.controller) return;
  await new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
}
