// Loads the page's files, checked by their hashes, and counts what is requested.

/** What went wrong while the page was loading, as one sentence. */
export class LoadError extends Error {}

const PACKED = ".bin"; // gzip

/**
 * Fetches a file, checks its hash and unpacks it.
 * @param {string} name
 * @param {Record<string, {sha256: string, bytes: number}>} files of the manifest
 * @param {(bytes: number) => void} [loaded] told what has come
 * @returns {Promise<ArrayBuffer>}
 */
export async function loadFile(name, files, loaded) {
  const content = await fetched(name);
  loaded?.(content.byteLength);
  if (globalThis.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
    const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (found !== files[name]?.sha256) throw new LoadError(`${name} is damaged, or of another version of the page: load it again, or copy the whole folder anew.`);
  }
  if (!name.endsWith(PACKED)) return content;
  return new Response(new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/**
 * Fetches the manifest.
 * @returns {Promise<any>}
 */
export async function loadManifest() {
  return JSON.parse(new TextDecoder().decode(await fetched("manifest.json")));
}

/** @param {string} name */
async function fetched(name) {
  let answer;
  try {
    answer = await fetch(name, { cache: "no-cache" });
  } catch {
    throw new LoadError(location.protocol === "file:" ? "A browser loads this page from a web server only, not from a file: facewarp page OUT/ --serve gives it out." : `${name} could not be loaded: the server does not answer.`);
  }
  if (!answer.ok) throw new LoadError(`${name} is missing on the server (${answer.status}): copy the whole folder.`);
  return answer.arrayBuffer();
}

/** Forbids every further request of this page; the worker has nothing left to load. */
export function forbidRequests() {
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = "connect-src 'none'";
  document.head.append(policy);
}

/** Counts the requests of the page from a moment on, those by blob: left out. */
export class RequestCount {
  count = 0;
  #from = Infinity; // ms of performance.now

  constructor() {
    const observer = new PerformanceObserver((list) => this.take(list.getEntries()));
    observer.observe({ type: "resource", buffered: false });
  }

  /** Begins to count. Requests that were made before are told of later, and do not count. */
  begin() {
    this.#from = performance.now();
  }

  /** @param {{name: string, startTime: number}[]} entries */
  take(entries) {
    this.count += entries.filter(({ name, startTime }) => startTime >= this.#from && /^https?:/.test(name)).length;
  }
}

/** Smallest module that has a 128-bit vector in it. */
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

/** Whether this browser's WebAssembly computes with vectors. */
export function hasSimd() {
  return typeof WebAssembly === "object" && WebAssembly.validate(SIMD);
}

/** Threads that the runtime may use: half of the cores, and one where the page is not isolated. */
export function threadCount() {
  if (!globalThis.crossOriginIsolated) return 1;
  return Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) >> 1));
}
