import process from "node:process";
import { runSidecar, type SidecarVerb } from "../../../runtime/cli/run-sidecar.ts";
import { runValidate } from "../../../runtime/cli/run-validate.ts";
import { processIo } from "../../../runtime/cli/io.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { systemRandom } from "../../../runtime/random.ts";
import { shellHosts } from "../shell-hosts.ts";

// validate COMMAND, or exec WORD: over shells of this machine whose workspaces are in $CACHE.
const [verb, word = ""] = process.argv.slice(2);
const hosts = shellHosts(process.env["CACHE"] ?? "", { disposable: true });
for (const name of (process.env["THERE"] ?? "").split(" ")) {
  if (name !== "") hosts.there.set(name, { id: name, name });
}
if (process.env["HANG"] !== undefined) {
  // The provider has made it, and its answer never comes.
  hosts.create = () => {
    process.stdout.write("ready");
    return new Promise(() => {});
  };
}
const ports = {
  clock: systemClock,
  random: systemRandom,
  open: () => Promise.resolve(hosts),
};
const sidecar = ["ssh://shell"];
const words: SidecarVerb = { verb: "exec", words: [word] };
process.exitCode = verb === "validate"
  ? await runValidate(
    undefined,
    { command: [{ name: "given", run: word }], env: [], sidecar },
    processIo(),
    ports,
  )
  : await runSidecar(words, {}, processIo(), ports);
process.exit();
