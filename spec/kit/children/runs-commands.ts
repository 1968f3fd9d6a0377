import process from "node:process";
import { run } from "../../../scripts/run.ts";

// Sleeps for each of the times in SLEEPS, all at once. Not arguments: the parent looks for those.
const times = (process.env["SLEEPS"] ?? "").split(" ");
await Promise.all(times.map((time) => run("sleep", [time], { cwd: "/" })));
