import process from "node:process";
import { ensureKeyPair } from "../../../runtime/ssh/ensure-key-pair.ts";

const many = Array.from({ length: 8 }, () => ensureKeyPair(process.argv[2] ?? ""));
const lines = new Set((await Promise.all(many)).map(({ publicLine }) => publicLine));
process.stdout.write([...lines].join("\n"));
