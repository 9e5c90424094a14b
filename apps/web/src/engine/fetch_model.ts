/** The files of the bundle, checked before they are believed. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Artifact } from "./bundle_facts";

const URLS = import.meta.glob<string>("@bundle/*.onnx", { query: "?url", import: "default", eager: true });

/** Fetch a file of the bundle. Throws where it does not come, or is not the one that the manifest names. */
export async function fetchModel(artifact: Artifact): Promise<Uint8Array> {
  const bytes = await fetchBytes(urlOf(URLS, artifact.file));
  // Not by SubtleCrypto, which is missing where the page comes neither over https nor from this computer.
  if (bytesToHex(sha256(bytes)) !== artifact.sha256) {
    throw new Error(`${artifact.file} was damaged on its way here; reload the page`);
  }
  return bytes;
}

/** The address of a file in the result of `import.meta.glob`. */
export function urlOf(urls: Readonly<Record<string, string>>, name: string): string {
  const url = Object.entries(urls).find(([path]) => path.endsWith(`/${name}`))?.[1];
  if (url === undefined) throw new Error(`${name} is not in this build; build the app again`);
  return url;
}

export async function fetchBytes(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status}; reload the page`);
  return new Uint8Array(await response.arrayBuffer());
}
