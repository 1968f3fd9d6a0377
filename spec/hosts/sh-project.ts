import { type Place, place, replace } from "../cli/cli-kit.ts";
import { withHome } from "./demo.ts";

const QUICK = [
  ["bad", "killed"],
  ["ok", "survived"],
  ["worse", "killed"],
  ["okay", "survived"],
] as const;

/**
 * A project that needs nothing but a shell, with a variant of every kind of verdict and `more` of
 * those that are killed.
 *
 * @param timeout of each command, in the words of `sidecanary.json`
 */
export async function shProject(more = 0, timeout = "1s"): Promise<Place> {
  const ids = [...QUICK.map(([id]) => id), ...extra(more)];
  const change = (id: string, to: string) => ({ id, patch: replace("value", "good", to) });
  return await withHome(
    await place({
      "value": "good\n",
      "ignored": "",
      "variants.json": [
        ...ids.map((id) => change(id, id)),
        change("endless", "endless"),
        change("unbuilt", "unbuilt"),
        change("again", "ok"),
        { id: "rejected", patch: replace("value", "old", "new") },
      ],
      "sidecanary.json": {
        builds: [{ name: "build", run: "! grep -q unbuilt value" }],
        commands: [{
          name: "check",
          run: "case $(cat value) in good|ok*) exit 0;; endless) sleep 600;; esac; exit 1",
        }],
        timeout,
      },
    }),
  );
}

/** What the variants of {@link shProject} come to, wherever they run. */
export function shVerdicts(more = 0): string[] {
  return [
    ...QUICK.map(([id, status]) =>
      status === "killed" ? `${id} killed by check with 1` : `${id} survived with 0`
    ),
    ...extra(more).map((id) => `${id} killed by check with 1`),
    "endless timeout by check with null",
    "unbuilt error/build-failed by build with 1",
    "again survived/duplicate with 0 as ok",
    "rejected error/patch-rejected with null",
  ];
}

function extra(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `more-${index}`);
}
