import { cronJobs } from "convex/server";

const crons = cronJobs();
const create = "documents:create" as any;
crons.interval("every 2 minutes", { minutes: 2 }, create, { text: "x" });
crons.hourly("hourly", { minuteUTC: 5 }, create);
crons.daily("daily", { hourUTC: 3, minuteUTC: 4 }, create, { text: "x" });
crons.monthly("monthly", { day: 31, hourUTC: 1, minuteUTC: 0 }, create, { text: "x" });
crons.weekly("weekly", { dayOfWeek: "monday", hourUTC: 1, minuteUTC: 2 }, create, { text: "x" });
crons.cron("cron", "15 7 * * *", create, { text: "x" });
export default crons;
