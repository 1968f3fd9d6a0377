import type { ClientChannel } from "ssh2";
import type { HostExit, HostTerminal } from "../sidecars/host.ts";

/**
 * A terminal on an open channel.
 *
 * @param ended how its command ends; may reject when nobody listens
 */
export function openTerminal(channel: ClientChannel, ended: Promise<HostExit>): HostTerminal {
  let open = true;
  channel.once("close", () => open = false);
  ended.catch(() => {});
  return {
    write: (bytes) => {
      if (open) channel.write(bytes);
    },
    resize: (columns, rows) => {
      // The pixels are not known; a terminal that has none says 0.
      if (open) channel.setWindow(rows, columns, 0, 0);
    },
    ended,
    close: () => {
      if (open) channel.close();
    },
  };
}
