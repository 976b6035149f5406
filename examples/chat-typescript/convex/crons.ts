import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";

const crons = cronJobs();
crons.daily("forget old messages", { hourUTC: 3, minuteUTC: 0 }, internal.cleanup.old, { days: 30 });

export default crons;
