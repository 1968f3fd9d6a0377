import * as v from "valibot";
import { isSidecanaryError, SidecanaryError } from "../../errors.ts";
import { hostFailed } from "../host-failed.ts";
import { type ApiCall, ApiCaller, type ApiCallerOptions } from "./api-caller.ts";
import type { HttpAnswer } from "./exchange.ts";
import {
  collaborationsSchema,
  instanceSchema,
  instancesSchema,
  keyAddedSchema,
  meSchema,
  snapshotSchema,
  snapshotsSchema,
} from "./schemas.ts";

/** A sidecar as the API knows it. */
export interface Instance {
  readonly id: string;
  readonly name: string;
  /** The id of the snapshot that it was made from. */
  readonly image?: string;
  /** Its public SSH key, a line of OpenSSH's; only our own hosts tell it. */
  readonly hostKey?: string;
  /** The id of its organisation. */
  readonly org?: string;
}

/** A snapshot of a sidecar. */
export interface Snapshot {
  readonly id: string;
  readonly name: string;
  readonly tag?: string;
  /** Whether it is CircleCI's own. */
  readonly system: boolean;
}

/** An organisation that the token's owner works in. */
export interface Collaboration {
  readonly id: string;
  readonly name: string;
  /** `gh/acme` */
  readonly slug?: string;
  readonly vcsType?: string;
}

/** Where a sidecar is reached after a key was added. */
export interface KeyAdded {
  /** Of the tunnel, in any form that CircleCI gives: `https://8000-<id>.e2b.app`. */
  readonly url: string;
  readonly hostKey?: string;
}

/** A name of a snapshot is no longer than this. */
const LONGEST_NAME = 255;

/**
 * The sidecar API of CircleCI, which `sidecanary sidecar serve` speaks as well. Every method throws
 * `host-failed`, and the signal's reason when aborted. No call takes more than 60 s.
 *
 * Listing, deleting and adding a key are repeated where the connection or the server failed; what
 * creates something is sent once.
 */
export class SidecarApi {
  readonly #caller: ApiCaller;
  readonly #host: string;
  /** Who answers: `CircleCI`. */
  readonly service: string;

  constructor(options: ApiCallerOptions) {
    this.#caller = new ApiCaller(options);
    this.#host = new URL(options.baseUrl).host;
    this.service = options.service;
  }

  /** The sidecars of an organisation: the caller's own, or with `all` everybody's. */
  async list(org: string, all: boolean, signal: AbortSignal): Promise<readonly Instance[]> {
    const { data } = await this.#ask(instancesSchema, {
      method: "GET",
      path: `/api/v3/sidecar/instances?${new URLSearchParams({ org_id: org, all: `${all}` })}`,
      what: `Listing the sidecars of organisation ${org}`,
      repeatable: true,
      signal,
    });
    return data.map(toInstance);
  }

  /** Makes a sidecar. Sent once: where the answer is lost, it may be there all the same. */
  async create(
    { name, org, image }: { readonly name: string; readonly org: string; readonly image?: string },
    signal: AbortSignal,
  ): Promise<Instance> {
    const from = image === undefined ? "" : ` from image ${image}`;
    const attributes = image === undefined ? { name } : { name, image };
    const { data } = await this.#ask(instanceSchema, {
      method: "POST",
      path: "/api/v3/sidecar/instances",
      json: { data: { attributes, references: { org: { id: org } } } },
      what: `Creating sidecar ${name}${from}`,
      repeatable: false,
      signal,
    });
    return toInstance(data);
  }

  /** Deletes a sidecar. Answers `false` where there was none any more. */
  async delete(id: string, signal: AbortSignal): Promise<boolean> {
    const call: ApiCall = {
      method: "DELETE",
      path: `/api/v3/sidecar/instances/${encodeURIComponent(id)}`,
      what: `Deleting sidecar ${id}`,
      instance: id,
      repeatable: true,
      signal,
    };
    try {
      const answer = await this.#caller.call(call);
      // The page of a proxy deletes nothing.
      if (answer.body !== "" && json(answer) === undefined) {
        throw this.#unexpected(call, answer, "the answer");
      }
      return true;
    } catch (error) {
      if (isSidecanaryError(error, "host-failed") && error.details.fault === "not-found") {
        return false;
      }
      throw error;
    }
  }

  /**
   * Lets a key into a sidecar; again does no harm.
   *
   * @param publicKey `ssh-ed25519 AAAA…`
   * @param limitMs in all; at most 60_000
   */
  async addKey(
    id: string,
    publicKey: string,
    signal: AbortSignal,
    limitMs: number = 60_000,
  ): Promise<KeyAdded> {
    const { data: { attributes } } = await this.#ask(keyAddedSchema, {
      method: "POST",
      path: `/api/v3/sidecar/instances/${encodeURIComponent(id)}/ssh/add-key`,
      json: { public_key: publicKey },
      what: `Adding a key to sidecar ${id}`,
      instance: id,
      repeatable: true,
      limitMs,
      signal,
    });
    return { url: attributes.url, ...given("hostKey", attributes.host_key) };
  }

  /**
   * Makes a snapshot of a sidecar. Sent once.
   *
   * @throws SidecanaryError `usage` where the name is empty or longer than 255 characters
   */
  async createSnapshot(id: string, name: string, signal: AbortSignal): Promise<Snapshot> {
    const length = [...name].length;
    if (length === 0 || length > LONGEST_NAME) {
      throw new SidecanaryError(
        "usage",
        `The name of a snapshot has 1 to ${LONGEST_NAME} characters, and this one has ${length}`,
        { option: "--name" },
      );
    }
    const { data } = await this.#ask(snapshotSchema, {
      method: "POST",
      path: "/api/v3/sidecar/snapshots",
      json: { data: { attributes: { name }, references: { sidecar_instance: { id } } } },
      what: `Making snapshot ${name} of sidecar ${id}`,
      instance: id,
      repeatable: false,
      signal,
    });
    return toSnapshot(data);
  }

  async getSnapshot(id: string, signal: AbortSignal): Promise<Snapshot> {
    const { data } = await this.#ask(snapshotSchema, {
      method: "GET",
      path: `/api/v3/sidecar/snapshots/${encodeURIComponent(id)}`,
      what: `Asking for snapshot ${id}`,
      repeatable: true,
      signal,
    });
    return toSnapshot(data);
  }

  async listSnapshots(org: string, signal: AbortSignal): Promise<readonly Snapshot[]> {
    const { data } = await this.#ask(snapshotsSchema, {
      method: "GET",
      path: `/api/v3/sidecar/snapshots?${new URLSearchParams({ org_id: org })}`,
      what: `Listing the snapshots of organisation ${org}`,
      repeatable: true,
      signal,
    });
    return data.map(toSnapshot);
  }

  /** Whose token it is. The cheapest way to learn whether it is good. */
  async me(signal: AbortSignal): Promise<{ readonly id: string; readonly name?: string }> {
    const { id, name } = await this.#ask(meSchema, {
      method: "GET",
      path: "/api/v2/me",
      what: "Checking the token",
      repeatable: true,
      signal,
    });
    return { id, ...given("name", name) };
  }

  async collaborations(signal: AbortSignal): Promise<readonly Collaboration[]> {
    const found = await this.#ask(collaborationsSchema, {
      method: "GET",
      path: "/api/v2/me/collaborations",
      what: "Listing your organisations",
      repeatable: true,
      signal,
    });
    return found.map(({ id, name, slug, "vcs-type": vcsType, vcs_type: other }) => ({
      id,
      name,
      ...given("slug", slug),
      ...given("vcsType", vcsType ?? other),
    }));
  }

  async #ask<Schema extends v.GenericSchema>(
    schema: Schema,
    call: ApiCall,
  ): Promise<v.InferOutput<Schema>> {
    const answer = await this.#caller.call(call);
    const result = v.safeParse(schema, json(answer));
    if (result.success) return result.output;
    throw this.#unexpected(call, answer, v.getDotPath(result.issues[0]) ?? "the answer");
  }

  #unexpected({ what, instance }: ApiCall, { status }: HttpAnswer, where: string): Error {
    return hostFailed(
      `${what} failed: ${this.service} answered ${status} with something else than expected, at ` +
        where,
      { host: instance ?? this.#host, fault: "bad-response", kind: "never", detail: status },
    );
  }
}

function json({ body }: HttpAnswer): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // No schema takes it, and the failure that follows names the status.
    return undefined;
  }
}

function toInstance(
  { id, attributes: { name, image, host_key }, references }: v.InferOutput<
    typeof instanceSchema
  >["data"],
): Instance {
  return {
    id,
    name,
    ...given("image", image),
    ...given("hostKey", host_key),
    ...given("org", references?.org?.id),
  };
}

function toSnapshot(
  { id, attributes: { name, tag, is_system } }: v.InferOutput<typeof snapshotSchema>["data"],
): Snapshot {
  return { id, name, ...given("tag", tag), system: is_system === true };
}

/** A field where there is a value; exact optional types want it left out otherwise. */
function given<Key extends string>(
  key: Key,
  value: string | null | undefined,
): { readonly [K in Key]?: string } {
  return value ? { [key]: value } as { readonly [K in Key]?: string } : {};
}
