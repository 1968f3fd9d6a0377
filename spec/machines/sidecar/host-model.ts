import type { Failure, JsonValue } from "../../../machines/mod.ts";
import type { OpenInvoke } from "../../kit/pure-actor.ts";
import { failure } from "./play.ts";

/** How a call of a port goes: what it was to do is done or not, and the answer comes or not. */
export type Luck = "works" | "answer-lost" | "too-early" | "refused" | "forbidden" | "gone";

/** What a port answered. */
export type Answer = { readonly output: unknown } | { readonly failure: Failure };

/** Hosts that live until they are destroyed, all under the one name, and ports that obey theirs. */
export class HostModel {
  readonly living = new Set<number>();
  made = 0;
  #replacedFor = 0;

  answer({ src, input }: OpenInvoke, luck: Luck): Answer {
    if (luck === "refused") return { failure: failure("transient", "refused") };
    if (luck === "forbidden") return { failure: failure("permanent", "forbidden") };
    if (luck === "gone") return { failure: failure("sidecar-lost", "gone") };
    const output = src === "boot" ? this.#boot(input) : this.#other(src, input);
    if (luck === "works") return { output };
    return { failure: failure("transient", luck) };
  }

  #boot(input: OpenInvoke["input"]): { readonly endpoint: JsonValue } {
    if (input.fresh === true && this.#replacedFor !== input.since) {
      this.#replacedFor = input.since as number;
      this.living.clear();
    }
    if (this.living.size === 0) this.living.add(++this.made);
    return { endpoint: [...this.living][0] ?? null };
  }

  #other(src: string, { endpoint }: OpenInvoke["input"]): undefined {
    if (src !== "destroy") return;
    if (endpoint === null) this.living.clear();
    else this.living.delete(endpoint as number);
  }
}
