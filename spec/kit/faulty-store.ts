import type { Store } from "../../runtime/store/store.ts";
import { StoreDecorator } from "./sim-store-decorator.ts";

/** Which way a message goes. */
export type Leg = "request" | "reply";

/** Carries one message. Resolves when it arrives, rejects when it is lost. */
export type Carry = (call: string, leg: Leg) => Promise<void>;

/**
 * A store behind a network: the request travels, the call is performed, the reply travels. A lost
 * request was not performed; a lost reply was, and the caller cannot tell the two apart.
 *
 * `fc.scheduler().scheduleFunction` would not do: it performs the call at once and delays only the
 * reply, which hides what two requests do to each other.
 */
export function faultyStore(inner: Store, carry: Carry): Store {
  return new StoreDecorator(inner, async (call, run) => {
    await carry(call, "request");
    const result = await run();
    await carry(call, "reply");
    return result;
  });
}
