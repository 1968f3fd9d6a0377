import * as assert from "uvu/assert";
import fc from "fast-check";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { createCircleciHosts } from "../../../runtime/sidecars/circleci/circleci-hosts.ts";
import { formatHostName } from "../../../runtime/sidecars/host-name.ts";
import type { HostProvider, HostRef } from "../../../runtime/sidecars/host-provider.ts";
import { fileHostKeyPins } from "../../../runtime/ssh/pinned-host-keys.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import type { FakeBehaviour } from "../../kit/fake-circleci.ts";
import { newKey } from "../../kit/ssh-server.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { withApi } from "./api-kit.ts";

const test = suite("lost-replies");

const NOW = Date.UTC(2026, 0, 1);
const KEY = newKey();

const behaviour: fc.Arbitrary<FakeBehaviour> = fc.oneof(
  fc.constant({}),
  fc.record({ reply: fc.constantFrom("drop" as const, "cut" as const), times: fc.nat(1) }),
  fc.record({ status: fc.constantFrom(500, 502, 504, 408), times: fc.nat(1) }),
  fc.constant({ status: 429 }),
  fc.constant({ status: 200, body: "<html>" }),
);

/** A list that does not show yet what was made. */
const lists = fc.oneof(
  { arbitrary: behaviour, weight: 3 },
  { arbitrary: fc.constant<FakeBehaviour>({ status: 200, body: { data: [] } }), weight: 1 },
);

/** One boot as the machine has it: look by name, make it where it is not there. */
async function boot(hosts: HostProvider, tries: number): Promise<HostRef | undefined> {
  const { signal } = new AbortController();
  for (let index = 0; index < tries; index++) {
    const expiresAt = NOW + (index + 1) * 60_000;
    const name = formatHostName({ owner: "owner001", run: "run", index: 0, expiresAt });
    try {
      return await hosts.find(name, signal) ??
        await hosts.create({ name, index: 0, expiresAt }, signal);
    } catch (error) {
      if (!isSidecanaryError(error, "host-failed")) throw error;
    }
  }
  return undefined;
}

test("whatever is lost on the way, destroy() leaves no host that create() made", async () => {
  const pins = fileHostKeyPins(await tempDir());
  await check(
    fc.asyncProperty(
      fc.array(behaviour, { maxLength: 3 }),
      fc.array(lists, { maxLength: 12 }),
      fc.array(behaviour, { maxLength: 4 }),
      fc.array(behaviour, { maxLength: 6 }),
      (creates, listings, deletes, later) =>
        withApi(async ({ fake, api, clock, signal }) => {
          const hosts = createCircleciHosts({
            api,
            org: fake.org,
            identity: { kind: "key", key: KEY },
            pins,
            clock,
            random: () => 0,
            onWarning: () => {},
          });
          fake.next("create", ...creates);
          fake.next("list", ...listings);
          fake.next("delete", ...deletes);
          const bystander = fake.put({ name: "happy-blue-fox" });
          const ref = await boot(hosts, 20);
          assert.ok(ref, "20 boots end with a host, as there are fewer faults");
          assert.ok(fake.instances.has(ref.id));
          // A host that is not even listed now is what the expiry in its name is for.
          fake.calm("list");
          fake.next("list", ...later);
          for (let tries = 0;; tries++) {
            try {
              await hosts.destroy(ref, signal);
              break;
            } catch (error) {
              if (!isSidecanaryError(error, "host-failed") || tries > 20) throw error;
            }
          }
          assert.equal([...fake.instances.keys()], [bystander.id]);
        }),
    ),
    { numRuns: 60 },
  );
}, { timeoutMs: 60_000 });
