import * as v from "valibot";
import { DURATION_PATTERN, LONGEST_MS } from "../options/parse-duration.ts";
import { JOBS_PATTERN } from "../options/parse-jobs.ts";
import { EXIT_CODES_PATTERN, KILL_PRESETS } from "../options/parse-kill-exit-codes.ts";
import { HIGHEST_FACTOR } from "../options/parse-number.ts";
import { SIDECAR_PATTERN } from "../options/parse-sidecar.ts";

const TIME = "must be a time: seconds (90), or a text like 500ms, 30s, 2m, 1h";

const time = v.union([
  v.pipe(v.number(TIME), v.gtValue(0, TIME), v.maxValue(LONGEST_MS / 1000, TIME)),
  v.pipe(v.string(TIME), v.regex(DURATION_PATTERN, TIME)),
], TIME);

const text = v.pipe(
  v.string("must be a text"),
  v.regex(/\S/, "must not be empty"),
);

const command = v.union([
  text,
  v.strictObject({
    name: v.optional(v.pipe(text, v.description("Names the command in the report"))),
    run: v.pipe(text, v.description("Run by sh -c in the folder of this file")),
    timeout: v.optional(v.pipe(time, v.description("Its budget in place of the derived one"))),
  }, (issue) => issue.expected === "never" ? "is not a field of a command" : "must be there"),
], 'must be a command: a text, or {"run": …} with name and timeout if you like');

const SIDECAR = "must be a sidecar: local, ssh://user@host, docker:IMAGE, circleci or https://host";
const sidecar = v.pipe(v.string(SIDECAR), v.regex(SIDECAR_PATTERN, SIDECAR));

const ATTEMPTS = "must be a number from 0";
const JOBS = 'must be a number of workers: 4, "50%" or "auto"';
const CODES = `must be exit codes ("1", "1,2,5-9") or one of ${KILL_PRESETS.join(", ")}`;

/** What `sidecanary.json` may hold. A field that is not named here is an error. */
export const projectConfigSchema = v.pipe(
  v.strictObject({
    $schema: v.optional(v.pipe(v.string("must be a text"), v.description("This schema"))),
    commands: v.optional(v.pipe(
      v.array(command, "must be an array of commands"),
      v.minLength(1, "must hold at least one command"),
      v.description("The tests, run in order; the first that fails kills the variant"),
    )),
    builds: v.optional(v.pipe(
      v.array(command, "must be an array of commands"),
      v.description("Run before the tests; a failure is an error, never a kill"),
    )),
    jobs: v.optional(v.pipe(
      v.union([
        v.pipe(v.number(JOBS), v.integer(JOBS), v.minValue(1, JOBS)),
        v.pipe(v.string(JOBS), v.regex(JOBS_PATTERN, JOBS)),
      ], JOBS),
      v.description("How many variants run at once; auto where not given"),
    )),
    timeout: v.optional(v.pipe(time, v.description("The budget of every command without its own"))),
    timeoutMultiplier: v.optional(v.pipe(
      v.number("must be a factor of at least 1"),
      v.minValue(1, "must be a factor of at least 1"),
      v.maxValue(HIGHEST_FACTOR, `must be a factor of at most ${HIGHEST_FACTOR}`),
      v.description("Budget = multiplier × the baseline's time; 5 where not given"),
    )),
    minimumTimeout: v.optional(
      v.pipe(time, v.description("The least derived budget; 20s where not given")),
    ),
    killExitCodes: v.optional(v.pipe(
      v.union([
        v.picklist(KILL_PRESETS),
        v.pipe(v.string(CODES), v.regex(EXIT_CODES_PATTERN, CODES)),
      ], CODES),
      v.description("Which exit codes mean that the tests saw the change"),
    )),
    sidecar: v.optional(v.pipe(
      v.union([sidecar, v.pipe(v.array(sidecar, SIDECAR), v.minLength(1, SIDECAR))], SIDECAR),
      v.description("Where the commands run; local where not given. Several are machines by ssh"),
    )),
    setup: v.optional(v.pipe(
      v.union([
        text,
        v.strictObject({
          run: v.pipe(text, v.description("Run by sh -c at the root of the payload")),
          lockFiles: v.optional(v.pipe(
            v.array(text, "must be an array of files"),
            v.description("Run again when one of these changes; the usual lock files if not given"),
          )),
        }, (issue) => issue.expected === "never" ? "is not a field of a setup" : "must be there"),
      ], 'must be a command: a text, or {"run": …, "lockFiles": […]}'),
      v.description("Run once on each host after the first sync: npm ci"),
    )),
    image: v.optional(
      v.pipe(text, v.description("The snapshot that CircleCI's sidecars start from")),
    ),
    orgId: v.optional(v.pipe(text, v.description("The organisation of CircleCI's sidecars"))),
    stopHookMaxAttempts: v.optional(v.pipe(
      v.number(ATTEMPTS),
      v.integer(ATTEMPTS),
      v.minValue(0, ATTEMPTS),
      v.description("How often in a row a failing stop hook sends its agent back; 3 if not given"),
    )),
  }, (issue) => issue.expected === "never" ? "is not a field of this file" : "must be an object"),
  v.title("sidecanary.json"),
  v.description("How sidecanary runs the variants of this project"),
);

/** The contents of `sidecanary.json`. */
export type ProjectConfig = v.InferOutput<typeof projectConfigSchema>;

/** A command as the file holds it. */
export type ConfigCommand = v.InferOutput<typeof command>;
