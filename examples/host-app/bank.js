import { appendFile, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * A bank that keeps its book in a file. It charges once for each key, however often it is asked:
 * effects run at least once, so whoever takes money has to look at the key.
 */
export function openBank(path) {
  return async ({ amount }, key) => {
    await sleep(Number(process.env.BANK_MS ?? 50));
    const book = await readFile(path, "utf8").catch((error) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    await appendFile(path, `asked ${key}\n`);
    if (!book.includes(`charged ${key} `)) {
      await appendFile(path, `charged ${key} ${amount}\n`);
    }
    return `receipt for ${key}`;
  };
}
