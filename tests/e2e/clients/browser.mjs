// The system's Chromium, driven by playwright-core: it is never downloaded.
import { chromium } from "playwright-core";

/** Run `use` with a fresh browser context; on failure the pages' consoles and a picture tell what happened. */
export async function withBrowser(use) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    headless: true,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  const consoleLines = [];
  try {
    const context = await browser.newContext({ viewport: { width: 900, height: 760 }, colorScheme: "light" });
    context.setDefaultTimeout(20_000);
    context.on("console", (message) => consoleLines.push(`${message.type()}: ${message.text()}`));
    context.on("weberror", (error) => consoleLines.push(`error: ${error.error().stack}`));
    await use(context);
  } catch (error) {
    console.error(consoleLines.join("\n"));
    throw error;
  } finally {
    await browser.close();
  }
}
