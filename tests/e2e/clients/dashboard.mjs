// The dashboard, as somebody uses it who looks after a deployment: one journey after the other in one browser.
import { createRequire } from "node:module";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { ConvexClient } from "convex/browser";
import { withBrowser } from "./browser.mjs";
import { assert, url } from "./expectations.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { ADMIN_KEY, READ_ONLY_KEY, SCREENSHOTS } = process.env;
const PAGES = [
  "",
  "data/tasks",
  "schema",
  "functions",
  "logs",
  "live",
  "contention",
  "schedules",
  "files",
  "archives",
  "backups",
  "history",
  "settings",
];

await withBrowser(async (context) => {
  const page = await context.newPage();
  const failures = [];
  page.on("pageerror", (error) => failures.push(String(error)));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) failures.push(message.text());
  });
  const open = async (path) => {
    await page.goto(`${url}/dashboard/${path}`);
    await page.getByRole("heading", { level: 1 }).waitFor();
  };
  /** The time in milliseconds, once so much of it has gone by: what comes after is told apart from what came before. */
  const passed = async (ms) => {
    const until = Date.now() + ms;
    while (Date.now() < until) await new Promise((resolve) => setTimeout(resolve, until - Date.now()));
    return until - ms / 2;
  };
  const button = (name) => page.getByRole("button", { name, exact: true });
  const row = (text) => page.getByRole("row").filter({ hasText: text });

  /** What can be seen now can be used with a screen reader, and on a phone. */
  const looksGood = async (what, picture) => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
    assert.deepEqual(found, [], what);
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${picture}.png`, fullPage: true });
    await page.setViewportSize({ width: 360, height: 740 });
    const tooWide = await page.evaluate(() => globalThis.document.documentElement.scrollWidth > globalThis.innerWidth);
    assert.equal(tooWide, false, `${what} is wider than a phone`);
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${picture}_phone.png`, fullPage: true });
    await page.setViewportSize({ width: 1280, height: 800 });
  };

  // Who comes without a key is asked for one, and told why one is not taken.
  await page.goto(`${url}/dashboard/logs`);
  await page.getByLabel("Admin key of this deployment").fill("nobody|0123456789abcdef");
  await button("Open the dashboard").click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Admin key of this deployment").fill(ADMIN_KEY);
  await button("Open the dashboard").click();
  await page.getByRole("heading", { name: "Logs" }).waitFor();

  // A key in the fragment signs in, and is gone from the address.
  await button("Sign out").click();
  await page.goto(`${url}/dashboard/data#key=${encodeURIComponent(ADMIN_KEY)}`);
  await page.reload();
  await page.getByRole("heading", { name: "Data" }).waitFor();
  assert.equal(page.url(), `${url}/dashboard/data`);

  // Data: add, see what others write, edit, be refused by the schema, filter, delete.
  await page.getByRole("link", { name: /^tasks/ }).click();
  await button("Add").click();
  const fields = page.getByLabel("Document, or a list of them");
  assert.deepEqual(JSON.parse(await fields.inputValue()), { completed: false, text: "" });
  await fields.fill('[{"text": "by hand", "completed": false}, {"text": "another", "completed": "no"}]');
  await page.getByRole("dialog").getByRole("button", { name: "Add" }).click();
  await page.getByRole("alert").filter({ hasText: "does not match validator" }).waitFor();
  await fields.fill('[{"text": "by hand", "completed": false}, {"text": "another", "completed": true}]');
  await page.keyboard.press("Control+Enter");
  await row("by hand").waitFor();
  await fetch(`${url}/api/mutation`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ path: "tasks:create", args: { text: "from a client" } }),
  });
  await row("from a client").waitFor();

  await row("by hand").getByRole("button").first().click();
  const edited = page.getByLabel("Fields");
  await edited.fill((await edited.inputValue()).replace("by hand", "by hand, edited"));
  await button("Save").click();
  await row("by hand, edited").waitFor();

  // One cell, by the keyboard: to it, into it, out of it.
  await row("by hand, edited").getByRole("gridcell").nth(1).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: /^text of / }).waitFor();
  await page.getByRole("textbox", { name: "Text" }).and(page.locator(":focus")).waitFor();
  await looksGood("a cell", "data_cell");
  await page.getByRole("textbox", { name: "Text" }).fill("by hand, and again");
  await page.keyboard.press("Control+Enter");
  await row("by hand, and again").waitFor();
  await row("by hand, and again").getByRole("gridcell", { name: "false" }).dblclick();
  await page.getByLabel("Value, as JSON").fill('"no"');
  await button("Save").click();
  await page.getByRole("alert").filter({ hasText: "does not match validator" }).waitFor();
  await button("Close").click();

  // What it was before, and back to it.
  await row("by hand, and again").getByRole("button").first().click();
  await button("Its last hour").click();
  await page.getByRole("deletion").filter({ hasText: '"by hand, edited"' }).first().waitFor();
  await looksGood("the last hour of a document", "data_revisions");
  await button("Bring this back").first().click();
  await page.getByRole("listitem").nth(3).waitFor();
  await button("Close").click();
  await button("Close").click();
  await row("by hand, edited").waitFor();

  await button("Filter").click();
  await page.getByLabel("Field").fill("text");
  await page.getByText("No index begins with text").waitFor();
  await page.getByLabel("Field").fill("completed");
  await page.getByLabel("Value").fill("true");
  await page.getByText("The index by_completed finds them").waitFor();
  await row("from a client").waitFor({ state: "detached" });
  const beforeDeletion = await passed(300);
  await row("another").getByRole("checkbox").check();
  await button("Delete 1").click();
  await button("Delete").click();
  await page.getByText("No document fits.").waitFor();
  await button("Remove this condition").click();
  await row("by hand, edited").waitFor();

  // The table as it was before that, and what became of what is gone.
  await passed(300);
  await button("Look back").click();
  await page.getByRole("slider", { name: "As of" }).fill(String(beforeDeletion));
  await row("another").waitFor();
  await looksGood("a table as it was", "data_past");
  await row("another").getByRole("button").first().click();
  await page.getByText("deleted", { exact: true }).waitFor();
  await button("Close").click();
  await button("Back to now").click();
  await row("another").waitFor({ state: "detached" });

  // Functions: a query goes on showing its result, a mutation says what the server says.
  await open("functions");
  await page.getByRole("searchbox", { name: "Find a function" }).fill("summary");
  await page.getByRole("link", { name: /summary/ }).click();
  await button("Run and follow").click();
  await page.getByText('"open": 2').waitFor();
  await page.getByRole("searchbox", { name: "Find a function" }).fill("create");
  await page.getByRole("link", { name: /create/ }).click();
  await page.getByLabel("text").fill("run from a form");
  await button("Run").click();
  await page.getByRole("heading", { name: /^Result/ }).waitFor();
  await looksGood("a form of arguments", "functions_form");
  await button("Write the arguments as JSON").click();
  assert.deepEqual(JSON.parse(await page.getByLabel("Arguments").inputValue()), { text: "run from a form" });
  await page.getByLabel("Arguments").fill('{"txt": "x"}');
  await button("Run").click();
  await page.getByRole("alert").filter({ hasText: "txt" }).waitFor();
  await page.getByLabel("Arguments").fill('{"text": "run by hand"}');
  await button("Run").click();
  await page.getByRole("heading", { name: /^Result/ }).waitFor();
  await page
    .getByRole("region", { name: "The last hour" })
    .getByText(/^[34] in the last hour/)
    .waitFor();

  // Logs: what has just run, found by its function; its whole request.
  await page.getByRole("link", { name: "its log" }).click();
  await page
    .getByRole("log")
    .getByRole("button", { name: /tasks:create/ })
    .last()
    .click();
  await page
    .getByRole("dialog", { name: /^Request / })
    .getByText("Mutation")
    .waitFor();
  await button("Close").click();

  // Live: what a client follows, what it depends on, and why it runs again.
  const follower = new ConvexClient(url);
  await new Promise((resolve) => follower.onUpdate("tasks:list", { limit: 5 }, resolve));
  await open("live");
  const followed = page.getByRole("listitem").filter({ hasText: "tasks:list" });
  await followed.getByText("1 client").click();
  await followed.getByText("tasks.by_creation_time").waitFor();
  await fetch(`${url}/api/mutation`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ path: "tasks:create", args: { text: "makes it run again" } }),
  });
  await row("tasks:list").filter({ hasText: "tasks:create" }).filter({ hasText: "tasks.by_creation_time" }).waitFor();
  await follower.close();
  await open("contention");
  await page.getByText("No mutation has lost").waitFor();
  await page.getByText("No query has read far more").waitFor();
  await open("");
  await page.getByRole("link", { name: "tasks:create" }).first().waitFor();
  await page.getByText("The cron job broken failed").waitFor();

  // Schema: who refers to whom, in a picture and in words; what a stricter validator would reject.
  await open("schema");
  await page.getByRole("link", { name: "notes; refers to people by by" }).focus();
  const tasks = page.getByRole("region", { name: "tasks" });
  await tasks.getByText("Would a stricter validator hold?").click();
  const validator = tasks.getByLabel("Validator, as a schema has it");
  assert.match(await validator.inputValue(), /completed: v\.boolean\(\),/);
  await tasks.getByRole("combobox").selectOption("Python");
  assert.match(await validator.inputValue(), /"completed": v\.boolean\(\),/);
  await button("Try it on all documents").click();
  await tasks.getByText("all of them would be accepted").waitFor();
  await validator.fill('v.object({"text": v.string(), "completed": v.literal(True)})');
  await button("Try it on all documents").click();
  await tasks.getByText("would be rejected").waitFor();
  await looksGood("a trial of a validator", "schema_trial");
  await tasks.getByRole("listitem").getByRole("link").first().click();
  await page.getByRole("dialog").getByLabel("Fields").waitFor();
  await button("Close").click();

  // Schedules: a cron job runs now, and how it went is known.
  await open("schedules");
  await button("Run now tidy").click();
  await page.getByText("tidy runs now").waitFor();
  await page
    .getByRole("region", { name: "Table: Scheduled functions that have ended" })
    .getByRole("row")
    .filter({ hasText: "work.py:tidy" })
    .getByText("ended well")
    .waitFor();
  await button("Runs of broken").click();
  await page.getByRole("dialog").getByText("nothing to do").first().waitFor();
  await looksGood("the runs of a cron job", "schedules_runs");
  await button("Close").click();

  // Files: one comes, is shown and goes.
  await open("files");
  await page.getByText("No files are stored.").waitFor();
  await page.locator("input[type=file]").setInputFiles({
    name: "dot.svg",
    mimeType: "image/svg+xml",
    buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="9"/></svg>'),
  });
  await row("image/svg+xml").getByRole("button").first().click();
  await page.getByRole("img", { name: /^The image/ }).waitFor();
  await button("Close").click();
  await button("Remove").click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("No files are stored.").waitFor();
  await page
    .locator("input[type=file]")
    .setInputFiles({ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("the words of a file") });
  await row("text/plain").getByRole("button").first().click();
  await page.getByRole("dialog").getByText("the words of a file").waitFor();
  await button("Close").click();

  // Archives: all tables go out, a file of documents comes in.
  await open("archives");
  await button("Export all tables").click();
  const download = page.waitForEvent("download");
  await button("Save the archive").click();
  assert.match((await download).suggestedFilename(), /\.zip$/);
  await page.locator("input[type=file]").setInputFiles({
    name: "tasks.jsonl",
    mimeType: "application/jsonl",
    buffer: Buffer.from('{"text": "imported", "completed": true}\n'.repeat(150)),
  });
  await page.getByRole("textbox", { name: "Table" }).fill("tasks");
  await button("Import").click();
  await page.getByText("150 documents were written.").waitFor();
  await row("append").filter({ hasText: "150 documents written" }).waitFor();

  // Backups: the first one is there, with the log up to date; another is made and looked at, and a restore is told.
  await open("backups");
  const backups = page.getByRole("region", { name: "Table: Backups" }).getByRole("row");
  await backups.nth(1).getByText("with the log").waitFor();
  await page.getByText("up to date").waitFor();
  await button("Back up now").click();
  await backups.nth(2).waitFor();
  await backups
    .nth(1)
    .getByRole("button", { name: /^Verify/ })
    .click();
  await backups
    .nth(1)
    .getByText(/^whole/)
    .waitFor();
  await page.getByText(/^parabola restore \/\S+\/kept --data restored$/).waitFor();
  await page.getByLabel("As of").fill("2026-05-04T13:30:00");
  await page.getByText(/\/kept --data restored --at 2026-05-0[345]T\d\d:\d\d:00Z --paused/).waitFor();
  const answers = "**/api/parabola/backups";
  await page.route(answers, (route) => route.fulfill({ json: { isConfigured: false, directory: "/srv/data" } }));
  await page.getByText("parabola backup /backup/my-app --data /srv/data").waitFor();
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/backups_none.png` });
  await page.unroute(answers);
  await page.route(answers, (route) => route.fulfill({ status: 503, json: { message: "The server is busy." } }));
  await page.getByRole("alert").filter({ hasText: "The server is busy." }).waitFor();
  await page.unroute(answers);

  // Full scans: what reads them all to find a few, and the index that it lacks.
  await fetch(`${url}/api/query`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ path: "work:of_text", args: { text: "by hand, edited" } }),
  });
  await open("contention");
  await row("work:of_text").getByText('.index("by_text", ["text"])').waitFor();

  // Settings: a variable is set, hidden, shown; history says who did what.
  await open("settings");
  await page.getByLabel("Name").fill("API_KEY");
  await page.getByLabel("Value").fill("hidden value");
  await button("Set").click();
  await row("API_KEY").waitFor();
  assert.equal(await page.getByText("hidden value").count(), 0);
  await page.getByRole("button", { name: "Show the value of API_KEY" }).click();
  await page.getByText("hidden value").waitFor();
  await row("https://issuer.example.com").waitFor();

  // Log streams: a webhook shows that it takes events, gets those it wants, and is given another secret.
  const received = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    if (request.url === "/in") received.push(...JSON.parse(body));
    response.end();
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const address = `http://127.0.0.1:${receiver.address().port}/in`;
  const dialog = page.getByRole("dialog");
  await button("New log stream").click();
  await dialog.getByLabel("Where to").selectOption("Webhook");
  await dialog.getByLabel("Address").fill(address);
  await dialog.getByLabel("Everything").uncheck();
  for (const scheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme: scheme });
    await looksGood(`the form of a log stream in ${scheme} colours`, `log_stream_form_${scheme}`);
  }
  await button("Make it").click();
  await dialog.waitFor({ state: "detached" });
  await row("Webhook").getByText("active").waitFor();
  await fetch(`${url}/api/query?path=tasks:list&args={}`);
  await row("Webhook")
    .getByRole("cell", { name: /^[1-9]\d*$/ })
    .waitFor();
  assert.equal(received[0].topic, "verification");
  assert.ok(
    received.some(({ topic, function: called }) => topic === "function_execution" && called.path === "tasks:list"),
  );
  await row("Webhook").getByRole("button", { name: "Secret" }).click();
  const secret = await dialog.getByLabel("Secret").inputValue();
  await button("Make another one").click();
  await page.waitForFunction(
    (before) => !globalThis.document.querySelector(`[role=dialog] input[value="${before}"]`),
    secret,
  );
  await button("Close").click();

  // One that nobody answers has failed, and says why; with a good address it works. Files need none.
  await button("New log stream").click();
  await dialog.getByLabel("Where to").selectOption("OpenTelemetry");
  await dialog.getByLabel("Address").fill("http://127.0.0.1:1/v1/logs");
  await dialog.getByLabel("Headers").fill("api-key: hidden words");
  await button("Make it").click();
  await row("OpenTelemetry").getByText("gave up after 3 attempts").waitFor();
  await page.getByRole("button", { name: "Edit OpenTelemetry" }).click();
  assert.equal(await dialog.getByLabel("Headers").inputValue(), "");
  await dialog.getByLabel("Address").fill(address.replace("/in", "/empty"));
  await button("Save").click();
  await button("New log stream").click();
  await dialog.getByLabel("Where to").selectOption("Files");
  await button("Make it").click();
  await row("Files").getByText("active").waitFor();
  await page.getByRole("button", { name: "Delete Files" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await row("Files").waitFor({ state: "detached" });

  // Keys: one is made and shown once; who came in with it is sent out when it is revoked.
  await page.getByLabel("Whose key it is").fill("guest");
  await button("Make a key").click();
  await looksGood("a key that was made", "settings_key");
  const guestKey = await page.getByRole("textbox", { name: "Admin key" }).inputValue();
  await button("Close").click();
  const guest = await (await context.browser().newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  await guest.goto(`${url}/dashboard/data/tasks#key=${encodeURIComponent(guestKey)}`);
  await guest.getByText("This key may only read").waitFor();
  await guest.getByRole("row").filter({ hasText: "imported" }).first().waitFor();
  await row("guest").getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await row("guest").getByText("revoked").waitFor();
  await guest.getByRole("alert").filter({ hasText: "was revoked" }).waitFor();
  await guest.getByLabel("Admin key of this deployment").waitFor();
  await guest.context().close();
  await button("Pause").click();
  await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await page.getByText("This deployment is paused").waitFor();
  const refused = await fetch(`${url}/api/query?path=tasks:list&args={}`);
  assert.match(await refused.text(), /paused/);
  await button("Resume").click();
  await page.getByText("Functions run.").waitFor();
  await open("history");
  for (const words of [
    "Variable added",
    "Delete files",
    "Delete documents",
    "Update documents",
    "Add documents",
    "Push",
  ]) {
    await page.getByRole("listitem").filter({ hasText: words }).first().waitFor();
  }

  // Every page can be used with a screen reader, in both themes, and on a phone.
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const path of PAGES) {
      await page.setViewportSize({ width: 1280, height: 800 });
      await open(path);
      const loading = page.locator("[role=status]").filter({ hasText: "Loading" });
      await loading.first().waitFor({ state: "detached" }); // there may be several: it is the first of those that are left
      await looksGood(`/${path} in ${scheme} colours`, `${path.replaceAll("/", "_") || "overview"}_${scheme}`);
    }
  }

  // By the keyboard alone: past the menu, to a page, into a document and out of it.
  await page.setViewportSize({ width: 1280, height: 800 });
  await open("data/tasks");
  await page.keyboard.press("Tab");
  await page.getByRole("link", { name: "Skip to the content" }).and(page.locator(":focus")).waitFor();
  await row("imported").first().getByRole("gridcell").nth(1).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  // A key that may only read sees everything and changes nothing.
  await button("Sign out").click();
  await page.getByLabel("Admin key of this deployment").fill(READ_ONLY_KEY);
  await button("Open the dashboard").click();
  await page.getByText("This key may only read").waitFor();
  await row("imported").first().waitFor();
  for (const name of ["Add", "Clear the table", "New table"]) assert.ok(await button(name).isDisabled(), name);
  await open("settings");
  assert.ok(await button("Change").isDisabled());
  await row("Webhook").getByText("active").waitFor();
  for (const name of ["New log stream", "Edit Webhook", "Delete Webhook", "Secret"])
    assert.ok(await button(name).isDisabled(), name);
  receiver.close();
  await open("backups");
  await backups.nth(2).waitFor();
  assert.ok(await button("Back up now").isDisabled());

  // Without a network: it is said, what was there stays, and comes back by itself; a page that begins then waits.
  await open("schedules");
  let isCut = false;
  const sockets = new Set();
  await page.routeWebSocket(/\/sync$/, (socket) => {
    if (isCut) return void socket.close();
    socket.connectToServer();
    sockets.add(socket);
  });
  await page.route(/\/api\//, (route) => (isCut ? route.abort() : route.continue()));
  await page.goto(`${url}/dashboard/nowhere`);
  await page.getByText("There is no such page.").waitFor();
  await page.getByRole("link", { name: "Contention" }).click();
  await page.getByRole("heading", { name: "Full scans" }).waitFor();
  isCut = true;
  for (const socket of sockets) await socket.close();
  await page.getByText("The server cannot be reached").waitFor();
  await page.getByRole("alert").first().waitFor();
  await row("work:of_text").first().waitFor();
  await page.goto(`${url}/dashboard/live`);
  await page.getByRole("alert").filter({ hasText: "The server does not answer" }).waitFor();
  isCut = false;
  await page.getByRole("heading", { name: "Live" }).waitFor();

  assert.deepEqual(failures, []);
});
