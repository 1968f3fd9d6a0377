import * as assert from "uvu/assert";
import { parseContainerTarget } from "../../../runtime/sidecars/container/container-target.ts";
import { suite } from "../../harness.ts";

const test = suite("container target");
const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

for (
  const image of [
    "debian",
    "debian:12",
    "library/debian:12-slim",
    "ghcr.io/me/my-tests_image:v1.2_3",
    "localhost:5000/a/b/c",
    "registry.example.com:443/tests:latest",
    "[::1]:5000/tests",
    "LOCAL.example:1/x",
    `debian@${DIGEST}`,
    `localhost:5000/debian:12@${DIGEST}`,
    DIGEST,
    "0123456789ab",
    "a__b/c--d.e",
  ]
) {
  test(`parseContainerTarget() takes the image ${image}`, () => {
    assert.equal(parseContainerTarget(`docker:${image}`), { kind: "docker", image });
  });
}

test("parseContainerTarget() reads lanes, network, memory and cpus", () => {
  assert.equal(
    parseContainerTarget("docker:localhost:5000/t:1?lanes=4&network=none&memory=2g&cpus=1.5"),
    {
      kind: "docker",
      image: "localhost:5000/t:1",
      lanes: 4,
      network: "none",
      memory: 2 * 2 ** 30,
      cpus: 1.5,
    },
  );
});

for (
  const [text, bytes] of [["6m", 6291456], ["8388608", 8388608], ["8388608b", 8388608], [
    "7000K",
    7168000,
  ]] as const
) {
  test(`parseContainerTarget() takes ${text} of memory for ${bytes} bytes`, () => {
    assert.is(parseContainerTarget(`docker:a?memory=${text}`).memory, bytes);
  });
}

for (
  const [text, why] of [
    ["debian", "docker:IMAGE"],
    ["docker:", "no name of an image"],
    ["docker:Debian", "no name of an image"],
    ["docker:a:b:c", "no name of an image"],
    ["docker:-a", "no name of an image"],
    ["docker:a b", "no name of an image"],
    ["docker:a/", "no name of an image"],
    ["docker:a@sha256:12", "no name of an image"],
    ["docker:https://a/b", "no name of an image"],
    [`docker:${"a".repeat(600)}`, "no name of an image"],
    ["docker:a?lanes=1?x", "more than one question mark"],
    ["docker:a?lanes=0", "lanes is"],
    ["docker:a?lanes=1.5", "lanes is"],
    ["docker:a?lanes=1&lanes=2", "lanes is set twice"],
    ["docker:a?network=container:x", "network is"],
    ["docker:a?network=", "network is"],
    ["docker:a?memory=5m", "memory is"],
    ["docker:a?memory=2t", "memory is"],
    ["docker:a?memory=999999999999999g", "memory is"],
    ["docker:a?cpus=0", "cpus is"],
    ["docker:a?cpus=1e3", "cpus is"],
    ["docker:a?privileged=1", 'not "privileged"'],
  ] as const
) {
  test(`parseContainerTarget() refuses ${text.slice(0, 40)}: ${why}`, () => {
    try {
      parseContainerTarget(text);
    } catch (error) {
      assert.instance(error, RangeError);
      assert.match((error as Error).message, why);
      return;
    }
    assert.unreachable();
  });
}
