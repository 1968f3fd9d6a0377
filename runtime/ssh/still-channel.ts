import type { ClientChannel } from "ssh2";

interface Inner {
  readonly outgoing?: { state: string };
}

/**
 * Keeps ssh2 from writing to a connection that has ended: it throws then, and where that happens in
 * a stream's own callback nobody can catch it. Each of its writes looks at this state first.
 */
export function stillChannel(channel: ClientChannel): void {
  const { outgoing } = channel as unknown as Inner;
  if (outgoing !== undefined) outgoing.state = "closed";
}
