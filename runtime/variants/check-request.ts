import type { CampaignRequest } from "./campaign-request.ts";

/** @throws RangeError naming what is wrong: no command, no worker, the same name or id twice */
export function checkRequest(request: CampaignRequest): void {
  const { variants, builds, commands, workers } = request;
  if (commands.length === 0) throw new RangeError("a campaign needs a command");
  if (!Number.isSafeInteger(workers) || workers < 1) {
    throw new RangeError(`a campaign needs at least one worker, not ${workers}`);
  }
  unique("build", builds.map(({ name }) => name));
  unique("command", commands.map(({ name }) => name));
  unique("variant", variants.map(({ id }) => id));
}

function unique(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new RangeError(`there are two ${what}s "${name}"`);
    seen.add(name);
  }
}
