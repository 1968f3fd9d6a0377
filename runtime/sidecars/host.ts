/** How one command is run on a {@link Host}. */
export interface HostExec {
  /**
   * A line for POSIX `sh`, whatever the login shell is. At most 100,000 bytes: longer scripts and all
   * data go through `stdin`.
   */
  readonly command: string;
  /** @default nothing: end of file at once */
  readonly stdin?: Uint8Array | AsyncIterable<Uint8Array>;
  /** @default the output is read and dropped */
  readonly onStdout?: (chunk: Uint8Array) => void;
  /** @default the output is read and dropped */
  readonly onStderr?: (chunk: Uint8Array) => void;
  /** Ends the channel. What runs on the host may go on. */
  readonly signal: AbortSignal;
}

/** How a command on a host ended by itself. */
export type HostExit =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly name: string };

/** How a terminal is opened. */
export interface TerminalOptions {
  /** @default the login shell */
  readonly command?: string;
  /** `$TERM` of the user: `xterm-256color`. */
  readonly term: string;
  readonly columns: number;
  readonly rows: number;
  readonly onData: (chunk: Uint8Array) => void;
}

/** An interactive terminal on a host. */
export interface HostTerminal {
  write(bytes: Uint8Array): void;
  resize(columns: number, rows: number): void;
  /** Rejects like {@link Host.exec}. */
  readonly ended: Promise<HostExit>;
  close(): void;
}

/** A connection to a machine that commands can be sent to. One connection, many commands. */
export interface Host {
  /** For messages; holds no secret. */
  readonly name: string;
  /**
   * Runs a command to its end. Channel limits of the other side are waited for.
   *
   * @throws SidecanaryError `host-failed`; of kind `reconnect` where the connection was lost before
   *   the exit status came
   * @throws the signal's reason when aborted
   */
  exec(request: HostExec): Promise<HostExit>;
  /**
   * Opens a terminal; `undefined` where this kind of host has none.
   *
   * @throws SidecanaryError `host-failed`
   */
  readonly terminal?: (options: TerminalOptions) => Promise<HostTerminal>;
  /**
   * Resolves when the connection is gone, with why; `undefined` after {@link Host.close}. Never
   * rejects.
   */
  readonly closed: Promise<Error | undefined>;
  /** Ends the connection. Idempotent. */
  close(): Promise<void>;
}
