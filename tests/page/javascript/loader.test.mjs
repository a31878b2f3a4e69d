import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { LoadError, RequestCount, loadFile } from "../../../assets/page/loader.js";

const content = gzipSync("the networks");
const files = { "a.bin": { sha256: createHash("sha256").update(content).digest("hex"), bytes: content.length } };
globalThis.location = { protocol: "http:" };
const answers = (answer) => (globalThis.fetch = async () => answer());

test("a packed file comes unpacked, and its size is told", async () => {
  answers(() => new Response(content));
  let told = 0;
  const found = await loadFile("a.bin", files, (bytes) => (told += bytes));
  assert.equal(new TextDecoder().decode(found), "the networks");
  assert.equal(told, content.length);
});

test("a damaged file, one that is missing and a server that is gone are told apart", async () => {
  answers(() => new Response(content.subarray(0, 9)));
  await assert.rejects(loadFile("a.bin", files), (error) => error instanceof LoadError && /damaged/.test(error.message));
  answers(() => new Response("", { status: 404 }));
  await assert.rejects(loadFile("a.bin", files), /missing on the server \(404\)/);
  answers(() => {
    throw new TypeError("failed");
  });
  await assert.rejects(loadFile("a.bin", files), /does not answer/);
});

test("requests count from the moment that is said, whenever they are told of", () => {
  const requests = new RequestCount();
  requests.take([{ name: "http://here/early", startTime: performance.now() }]);
  requests.begin();
  const now = performance.now();
  requests.take([{ name: "http://here/before", startTime: now - 1000 }, { name: "blob:http://here/1", startTime: now + 1 }]);
  assert.equal(requests.count, 0);
  requests.take([{ name: "https://elsewhere/", startTime: now + 1 }]);
  assert.equal(requests.count, 1);
});
