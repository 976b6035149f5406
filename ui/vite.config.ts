import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** The server that `npm run dev` passes requests on to: one that `parabola dev` runs. */
const DEPLOYMENT = process.env.PARABOLA_URL ?? "http://127.0.0.1:3210";

export default defineConfig({
  base: "/dashboard/",
  plugins: [react(), tailwindcss()],
  build: {
    outDir: "../src/parabola/dashboard/static",
    emptyOutDir: true,
    target: "es2022",
    // Nothing is written into the page that a strict Content-Security-Policy would refuse.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What is in the files, by whom, and under which licence: it goes with them.
    license: { fileName: "licenses.md" },
  },
  server: { proxy: { "/api": { target: DEPLOYMENT, ws: true } } },
  test: { include: ["src/**/*.test.{ts,tsx}"] },
});
