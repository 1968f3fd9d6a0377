import process from "node:process";
import { findDriver } from "../../../runtime/store/sqlite/driver.ts";

/* store-locker.ts <path>: holds the write lock from "locked" on its output to the end of its input. */
const open = await findDriver();
if (open === undefined) throw new Error("no SQLite here");
const driver = open(process.argv[2] ?? "");
driver.prepare("BEGIN IMMEDIATE").run();
process.stdout.write("locked\n");
process.stdin.resume().on("end", () => {
  driver.prepare("ROLLBACK").run();
  driver.close();
});
