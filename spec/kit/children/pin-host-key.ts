import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { fileHostKeyPins } from "../../../runtime/ssh/pinned-host-keys.ts";
import { fingerprint, wireString } from "../../../runtime/ssh/wire.ts";

const pins = fileHostKeyPins(process.argv[2] ?? "");
const held = Array.from({ length: 8 }, () => {
  const key = Buffer.concat([wireString("ssh-ed25519"), wireString(randomBytes(32))]);
  return pins.set("vm-1", key);
});
process.stdout.write([...new Set((await Promise.all(held)).map(fingerprint))].join("\n"));
