import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";

const crons = cronJobs();

crons.daily("clear all messages", { hourUTC: 4, minuteUTC: 30 }, internal.messages.clear);

export default crons;
