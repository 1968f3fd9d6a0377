import type { SshFailure } from "./classify-ssh.ts";
import type { FaultClass } from "./fault-class.ts";

/** What a sentence about a failure is made of. */
export interface SshStory extends SshFailure {
  /** What the server said before authentication. */
  readonly banner: string;
}

/** A sentence for people, with what to do where something can be done. */
export function explainSsh(name: string, { fault, detail }: FaultClass, story: SshStory): string {
  const said = shown(story.banner);
  const words = said === "" ? "" : ` It said: ${said}`;
  const { error } = story;
  const cause = error instanceof Error ? shown(error.message) : "";
  switch (fault) {
    case "authentication":
      return `${name} does not accept the key: is its public half in authorized_keys of that user?${words}`;
    case "no-agent":
      return `The ssh agent for ${name} could not be asked: start it, or name a key file`;
    case "too-many-authentications":
      return `${name} counted too many attempts to log in (disconnect reason ${detail})`;
    case "no-common-algorithm":
      return `${name} and sidecanary have no algorithm in common (${cause}). A server that takes ` +
        "post-quantum key exchange alone must also allow curve25519-sha256";
    case "not-ssh":
      return `What answers at ${name} did not greet as an SSH 2 server: it is none, or it has too ` +
        "many logins at once (MaxStartups)";
    case "closed-early":
      return `${name} closed the connection before the login was done (${story.phase}).${words}`;
    case "frozen":
      return `${name} does not answer any more`;
    case "disconnected":
      return `${name} ended the connection with reason ${detail}: ${cause}.${words}`;
    case "closed":
      return `${name} closed the connection`;
    default:
      return `The connection to ${name} failed: ${detail ?? cause}`;
  }
}

/** One line of limited length, without control characters. */
function shown(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").trim().slice(0, 200);
}
