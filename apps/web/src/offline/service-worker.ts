/** Keeps the app's own files, each under a name that changes with its content, and asks nobody but its own host. */

export {}; // a module, whose `self` is its own

declare const self: ServiceWorkerGlobalScope;

/** The files that are fetched at once, and a checksum over all files; the build fills them in. */
declare const __FILES__: readonly string[];
declare const __VERSION__: string;

const CACHE = `tadsr-${__VERSION__}`;
const INDEX = "index.html";

/** What lets a page share memory between threads, and forbids it any other host. */
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

self.addEventListener("install", (event) => {
  const requests = __FILES__.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([forgetOtherVersions(), self.clients.claim()]));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const own = request.method === "GET" && request.url.startsWith(self.registration.scope);
  if (own) event.respondWith(answer(request));
});

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const url = new URL(request.url);
  if (url.pathname.endsWith("/")) url.pathname += INDEX;
  url.search = "";
  const kept = await cache.match(url.href);
  return withHeaders(kept ?? (await fetchAndKeep(cache, url, request)));
}

async function fetchAndKeep(cache: Cache, url: URL, request: Request): Promise<Response> {
  const response = await fetch(request);
  if (response.status === 200) await cache.put(url.href, response.clone());
  return response;
}

function withHeaders(response: Response): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

async function forgetOtherVersions(): Promise<void> {
  const names = (await caches.keys()).filter((name) => name.startsWith("tadsr-") && name !== CACHE);
  await Promise.all(names.map((name) => caches.delete(name)));
}
