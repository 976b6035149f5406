import workflow from "@convex-dev/workflow/convex.config.js";
import { defineApp } from "convex/server";
import readability from "./_python_components/readability/convex.config";

const app = defineApp();
app.use(workflow);
app.use(readability, { env: { LONG: "20" } });
export default app;
