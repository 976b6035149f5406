// Files that want to be pages of the app, and files that are to be shown, on the app's origin and on another one.
import { ConvexHttpClient } from "convex/browser";
import { anyApi as api } from "convex/server";
import { withBrowser } from "./browser.mjs";
import { assert, url } from "./expectations.mjs";

const client = new ConvexHttpClient(url);
const elsewhere = url.replace("127.0.0.1", "localhost");
const theft = "localStorage.setItem('stolen', document.domain); top.postMessage('ran', '*');";

async function store(body, type) {
  const upload = await client.mutation(api.files.upload_url, {});
  const response = await fetch(upload, { method: "POST", headers: { "Content-Type": type }, body });
  const { storageId } = await response.json();
  return await client.query(api.files.url, { id: storageId });
}

/** A second of a tone. */
function wave() {
  const samples = 8000;
  const file = Buffer.alloc(44 + samples);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + samples, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(samples, 24);
  file.writeUInt32LE(samples, 28);
  file.writeUInt16LE(1, 32);
  file.writeUInt16LE(8, 34);
  file.write("data", 36);
  file.writeUInt32LE(samples, 40);
  for (let i = 0; i < samples; i++) file[44 + i] = 128 + 100 * Math.sin(i / 5);
  return file;
}

const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><style>rect { fill: red }</style>
  <rect width="20" height="10"/><script>${theft}</script></svg>`;
const page = `<!doctype html><title>not the app</title><script>${theft}</script><body onload="${theft}">hello`;
const pages = [
  [page, "text/html"],
  [page, "text/html; charset=utf-8"],
  [page, "TEXT/HTML"],
  [page, "application/octet-stream"],
  [page, "text/plain"],
  [page, "image/png"],
  [page, "x/y"],
  [`<html xmlns="http://www.w3.org/1999/xhtml"><script>${theft}</script></html>`, "application/xhtml+xml"],
  [`<x xmlns:h="http://www.w3.org/1999/xhtml"><h:script>${theft}</h:script></x>`, "text/xml"],
  [`<x xmlns:h="http://www.w3.org/1999/xhtml"><h:script>${theft}</h:script></x>`, "application/rss+xml"],
  [svg, "image/svg+xml"],
  [`--b\r\nContent-Type: text/html\r\n\r\n${page}\r\n--b--`, "multipart/x-mixed-replace; boundary=b"],
];

await withBrowser(async (context) => {
  const app = await context.newPage();
  await app.goto(`${url}/`);
  await app.evaluate(() => {
    window.heard = [];
    addEventListener("message", (event) => window.heard.push(event.data));
  });

  for (const [body, type] of pages) {
    const stored = await store(body, type);
    // Framed, embedded, and opened, by its own URL and below another path of the app that leads there.
    await app.evaluate(async (address) => {
      const loads = ["iframe", "embed", "object"].map((name) => {
        const element = document.createElement(name);
        element[name === "object" ? "data" : "src"] = address;
        document.body.append(element);
        return new Promise((done) => {
          element.onload = element.onerror = done;
          fetch(address, { cache: "no-store" })
            .then((response) => response.text())
            .then(() => setTimeout(done, 300));
        });
      });
      await Promise.all(loads);
    }, stored);
    const opened = await context.newPage();
    await opened.goto(stored).catch((error) => assert.match(error.message, /Download is starting|ERR_ABORTED/));
    assert.notEqual(await opened.title(), "not the app", type);
    await opened.close();
    assert.deepEqual(await app.evaluate(() => window.heard), [], `${type} ran`);
    assert.equal(await app.evaluate(() => localStorage.getItem("stolen")), null, `${type} ran on the app's origin`);
  }

  // A script whose type is a lie is no script; nor is a worker.
  const lie = await store(theft, "text/plain");
  const outcome = await app.evaluate(
    (address) =>
      new Promise((done) => {
        const script = document.createElement("script");
        script.onload = () => done("loaded");
        script.onerror = () => done("refused");
        script.src = address;
        document.head.append(script);
      }),
    lie,
  );
  assert.equal(outcome, "refused");
  const registered = await app.evaluate(
    (address) =>
      navigator.serviceWorker.register(address).then(
        () => "registered",
        () => "refused",
      ),
    lie,
  );
  assert.equal(registered, "refused");

  // What is to be seen and heard is, from pages of any origin.
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  const [image, drawing, tone] = [
    await store(png, "image/png"),
    await store(svg, "image/svg+xml"),
    await store(wave(), "audio/wav"),
  ];
  for (const origin of [url, elsewhere]) {
    const other = await context.newPage();
    await other.goto(`${origin}/`);
    const sizes = await other.evaluate(
      async (addresses) =>
        await Promise.all(
          addresses.map(async (address) => {
            const element = new Image();
            element.src = address;
            await element.decode();
            return element.naturalWidth;
          }),
        ),
      [image, drawing],
    );
    assert.deepEqual(sizes, [1, 20], origin);
    const ranges = [];
    other.on("request", (request) => ranges.push(request.headers().range));
    const played = await other.evaluate(async (address) => {
      const audio = new Audio(address);
      await new Promise((done, fail) => {
        audio.onloadedmetadata = done;
        audio.onerror = () => fail(new Error(audio.error.message));
      });
      audio.currentTime = 0.5;
      await new Promise((done) => (audio.onseeked = done));
      return [audio.duration, audio.currentTime];
    }, tone);
    assert.deepEqual(played, [1, 0.5]);
    assert.ok(
      ranges.some((range) => range?.startsWith("bytes=")),
      "the audio was asked for by range",
    );
    await other.close();
  }
});
