import * as assert from "uvu/assert";
import { parseReport } from "../../runtime/variants/report-schema.ts";
import { suite } from "../harness.ts";
import { campaign, project, variant } from "./campaign-kit.ts";

const test = suite("report-schema");

test("a report that went through JSON is the same, whatever happened", async () => {
  const repo = await project();
  const { report } = await campaign(repo, [
    variant("kill", "value", "2", { category: "c", tags: ["t"] }),
    variant("live", "other", "2"),
    variant("reject", "value", "2", { before: "9" }),
    variant("twin", "value", "2"),
  ]);
  assert.equal(parseReport(JSON.parse(JSON.stringify(report))), report);
}, { timeoutMs: 60_000 });

test("a report of a failed baseline is one too", async () => {
  const repo = await project(`printf 'exit 3\\n' > test.sh`);
  const { report } = await campaign(repo, [variant("a", "value", "2")]);
  assert.equal(parseReport(JSON.parse(JSON.stringify(report))), report);
}, { timeoutMs: 60_000 });
