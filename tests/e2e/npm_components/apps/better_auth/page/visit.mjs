// Signing up, out and in again, with a wrong password between, and a page that is loaded anew.
import { withBrowser } from "../../../../clients/browser.mjs";

await withBrowser(async (context) => {
  const page = await context.newPage();
  await page.goto(process.env.PAGE);
  const shows = (label, text) => page.getByLabel(label).getByText(text, { exact: true }).waitFor();
  const press = (name) => page.getByRole("button", { name, exact: true }).click();
  const fill = async (email, password) => {
    await page.getByLabel("Email").fill(email);
    await page.getByLabel("Password").fill(password);
  };
  await shows("State", "signed out");
  await shows("Me", "nobody");

  await fill("ann@example.com", "a long password");
  await press("Sign up");
  await shows("State", "signed in");
  await shows("Me", "Ann ann@example.com");
  await page.reload();
  await shows("Me", "Ann ann@example.com");

  await press("Sign out");
  await shows("State", "signed out");
  await shows("Me", "nobody");

  await fill("ann@example.com", "a wrong password");
  await press("Sign in");
  await shows("Error", "Invalid email or password");
  await fill("ann@example.com", "a long password");
  await press("Sign in");
  await shows("State", "signed in");
  await shows("Me", "Ann ann@example.com");
});
