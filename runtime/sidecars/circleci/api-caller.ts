import type { Clock } from "../../clock.ts";
import { isSidecanaryError, type SidecanaryError } from "../../errors.ts";
import type { HostFault } from "../../host-fault.ts";
import { pause } from "../../pause.ts";
import type { Random } from "../../random.ts";
import { hostFailed } from "../host-failed.ts";
import { exchange, type HttpAnswer, type HttpRequest } from "./exchange.ts";
import { retryAfterMs as parseRetryAfter } from "../../ssh/retry-after.ts";
import { statusFault } from "./status-fault.ts";
import { timeLimit } from "./time-limit.ts";

/** How the API is reached. */
export interface ApiAccess {
  /** `https://circleci.com`; a path in front of `/api` is kept. */
  readonly baseUrl: string;
  readonly token: string;
  /** Where the token came from, for messages: `CIRCLE_TOKEN`. */
  readonly tokenSource: string;
  /** Who answers, for messages: `CircleCI`. */
  readonly service: string;
}

/** What a caller needs beside the access. */
export interface ApiCallerOptions extends ApiAccess {
  /** Of this package, for `User-Agent`. */
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Gets one line when the API announces its end, once. */
  readonly onWarning: (message: string) => void;
}

/** One call: a request, and its repetitions. */
export interface ApiCall {
  readonly method: HttpRequest["method"];
  /** With the query: `/api/v2/me`. */
  readonly path: string;
  /** @default no body */
  readonly json?: unknown;
  /** What is being done, the beginning of every message. */
  readonly what: string;
  /** The sidecar that it is about; a 404 then means that it is gone. */
  readonly instance?: string;
  /** Whether the request may be sent again where nobody knows what became of it. */
  readonly repeatable: boolean;
  /**
   * In ms, repetitions included.
   * @default 60_000
   */
  readonly limitMs?: number;
  readonly signal: AbortSignal;
}

const REPETITIONS = 3;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;
/** For how long `Retry-After` is obeyed within a call, from its beginning. */
const RATE_BUDGET_MS = 30_000;
/** Whatever `Retry-After` says, nobody is told to wait for longer. */
const LONGEST_RETRY_AFTER_MS = 300_000;

/** Faults that may be over a moment later. */
const PASSING: ReadonlySet<HostFault> = new Set<HostFault>([
  "refused",
  "unresolved",
  "resolver-down",
  "unreachable",
  "dial-timeout",
  "closed-early",
  "reset",
  "closed",
  "server-error",
]);

/** Sends the requests of one client and repeats those that may be. */
export class ApiCaller {
  readonly #options: ApiCallerOptions;
  #warned = false;

  constructor(options: ApiCallerOptions) {
    this.#options = options;
  }

  /**
   * The answer, which is 2xx.
   *
   * @throws SidecanaryError `host-failed`; the signal's reason when aborted
   */
  async call(call: ApiCall): Promise<HttpAnswer> {
    const { clock } = this.#options;
    const { limitMs = 60_000, signal } = call;
    signal.throwIfAborted();
    const limit = timeLimit(clock, limitMs, signal);
    const started = clock.now();
    let last: unknown;
    try {
      for (let repetition = 0;; repetition++) {
        const outcome = await this.#once(call, limit.signal);
        if (!(outcome instanceof Error)) return outcome;
        last = outcome;
        const wait = this.#waitAfter(outcome, call, repetition, clock.now() - started);
        if (wait === undefined) throw outcome;
        await pause(clock, wait, limit.signal);
      }
    } catch (error) {
      if (limit.expired()) throw this.#tooLate(call, limitMs, last ?? error);
      throw error;
    } finally {
      limit.clear();
    }
  }

  async #once(
    call: ApiCall,
    signal: AbortSignal,
  ): Promise<HttpAnswer | SidecanaryError<"host-failed">> {
    try {
      const answer = await exchange(this.#request(call), signal);
      this.#warn(answer);
      const asked = parseRetryAfter(answer.headers["retry-after"], this.#options.clock.now());
      const retryAfterMs = asked && Math.min(asked, LONGEST_RETRY_AFTER_MS);
      return statusFault(answer, {
        ...this.#options,
        what: call.what,
        host: call.instance ?? this.#host(),
        instance: call.instance !== undefined,
        retryAfterMs,
      }) ?? answer;
    } catch (error) {
      if (isSidecanaryError(error, "host-failed")) return error;
      throw error;
    }
  }

  #request({ method, path, json, what }: ApiCall): HttpRequest {
    const { baseUrl, token, version } = this.#options;
    return {
      method,
      what,
      url: new URL(baseUrl.replace(/\/+$/, "") + path),
      headers: {
        "Circle-Token": token,
        "Accept": "application/json",
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": `sidecanary/${version}`,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    };
  }

  /** How long to wait before the request is sent again; `undefined` where it is not. */
  #waitAfter(
    { details: { fault, kind, retryAfterMs } }: SidecanaryError<"host-failed">,
    { repeatable }: ApiCall,
    repetition: number,
    elapsedMs: number,
  ): number | undefined {
    if (!repeatable) return undefined;
    const grown = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** repetition);
    const drawn = grown * (0.5 + this.#options.random() / 2);
    if (fault === "rate-limited" && retryAfterMs !== undefined) {
      const wait = Math.max(retryAfterMs, drawn);
      return elapsedMs + wait <= RATE_BUDGET_MS ? wait : undefined;
    }
    const passing = fault === "rate-limited" || (PASSING.has(fault) && kind !== "never");
    return passing && repetition < REPETITIONS ? drawn : undefined;
  }

  #tooLate({ what, instance }: ApiCall, limitMs: number, cause: unknown): Error {
    return hostFailed(
      `${what} failed: ${this.#options.service} did not answer within ${limitMs / 1000} s`,
      {
        host: instance ?? this.#host(),
        fault: "dial-timeout",
        kind: "reconnect",
        detail: "timeout",
      },
      cause,
    );
  }

  /** `Deprecation` (RFC 9745) and `Sunset` (RFC 8594). */
  #warn({ headers }: HttpAnswer): void {
    const { deprecation, sunset } = headers;
    if (this.#warned || (deprecation === undefined && sunset === undefined)) return;
    this.#warned = true;
    const end = typeof sunset === "string" ? Date.parse(sunset) : NaN;
    const when = Number.isNaN(end)
      ? ""
      : ` and ends on ${new Date(end).toISOString().slice(0, 10)}`;
    this.#options.onWarning(
      `The API of ${this.#options.service} that this version of sidecanary uses is deprecated` +
        `${when}: look for a newer version`,
    );
  }

  #host(): string {
    return new URL(this.#options.baseUrl).host;
  }
}
