import * as assert from "uvu/assert";
import type { Clock } from "../../../runtime/clock.ts";
import { type AnySidecanaryError, isSidecanaryError } from "../../../runtime/errors.ts";
import { SidecarApi } from "../../../runtime/sidecars/circleci/sidecar-api.ts";
import {
  type FakeCircleci,
  fakeCircleci,
  type FakeCircleciOptions,
} from "../../kit/fake-circleci.ts";
import { QuickClock } from "./quick-clock.ts";

/** What a spec may ask of {@link withApi}. */
export interface ApiKitOptions extends FakeCircleciOptions {
  /** @default the fake's */
  readonly token?: string;
  /** @default the fake's */
  readonly baseUrl?: string;
}

/** A client of a fake API, with its clock and its warnings. */
export interface ApiKit {
  readonly fake: FakeCircleci;
  readonly api: SidecarApi;
  readonly clock: QuickClock;
  readonly warnings: string[];
  readonly signal: AbortSignal;
  /** Another client of the same fake. */
  clientWith(clock: Clock): SidecarApi;
}

/** Runs `body` with a fake API and a client of it. */
export async function withApi(
  body: (kit: ApiKit) => Promise<void>,
  options: ApiKitOptions = {},
): Promise<void> {
  const fake = await fakeCircleci(options);
  const clock = new QuickClock();
  const warnings: string[] = [];
  const clientWith = (of: Clock) =>
    new SidecarApi({
      baseUrl: options.baseUrl ?? fake.url,
      token: options.token ?? fake.token,
      tokenSource: "CIRCLE_TOKEN",
      service: "CircleCI",
      version: "1.2.3",
      clock: of,
      random: () => 0,
      onWarning: (message) => warnings.push(message),
    });
  const api = clientWith(clock);
  try {
    await body({ fake, api, clock, warnings, signal: new AbortController().signal, clientWith });
    assert.is(clock.waiting, 0, "a timer was left behind");
  } finally {
    await fake.close();
  }
}

/** What a call failed with: `fault kind detail`, and the message. */
export async function failure(
  work: Promise<unknown>,
): Promise<
  { readonly fault: string; readonly message: string; readonly error: AnySidecanaryError }
> {
  try {
    await work;
  } catch (error) {
    if (!isSidecanaryError(error)) throw error;
    const { code, message } = error;
    if (!isSidecanaryError(error, "host-failed")) return { fault: code, message, error };
    const { fault, kind, detail } = error.details;
    return { fault: [fault, kind, detail].join(" "), message, error };
  }
  throw new Error("nothing failed");
}
