import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { chooseOrg } from "../../../runtime/sidecars/circleci/choose-org.ts";
import {
  type CircleciInput,
  type CircleciSettings,
  circleciSettings,
} from "../../../runtime/sidecars/circleci/settings.ts";
import { suite } from "../../harness.ts";
import { failure, withApi } from "./api-kit.ts";

const test = suite("settings");

function settings(input: Partial<CircleciInput> = {}): CircleciSettings {
  return circleciSettings({ flags: {}, env: { CIRCLE_TOKEN: "t" }, repo: "shop", ...input });
}

function refusal(input: Partial<CircleciInput>): string {
  try {
    settings(input);
  } catch (error) {
    if (isSidecanaryError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error("nothing was refused");
}

const PROJECT = {
  path: "/p/.chunk/config.json",
  value: { orgID: "org-file", validation: { sidecarImage: "snap-file" }, commands: [1] },
};
const USER = { path: "/u/config.json", value: { circleCIToken: "t-file", model: "x" } };

test("circleciSettings() takes CIRCLE_TOKEN before CIRCLECI_TOKEN before the user's file", () => {
  const access = (env: CircleciInput["env"]) => {
    const { token, tokenSource } = settings({ env, userConfig: USER }).access;
    return [token, tokenSource];
  };
  assert.equal(access({ CIRCLE_TOKEN: "a", CIRCLECI_TOKEN: "b" }), ["a", "CIRCLE_TOKEN"]);
  assert.equal(access({ CIRCLE_TOKEN: " ", CIRCLECI_TOKEN: "b\n" }), ["b", "CIRCLECI_TOKEN"]);
  assert.equal(access({}), ["t-file", "/u/config.json"]);
});

test("MissingToken: circleciSettings() without a token is a usage error", () => {
  assert.match(refusal({ env: {} }), /^usage: .*CIRCLE_TOKEN/);
  assert.match(refusal({ env: {}, userConfig: { path: "/u", value: {} } }), /^usage/);
});

test("circleciSettings() refuses a token that is no header, and does not show it", () => {
  const message = refusal({ env: { CIRCLECI_TOKEN: "good\nbad" } });
  assert.match(message, "CIRCLECI_TOKEN");
  assert.not.match(message, "good");
});

test("Create OrgIDFromEnv and OrgIDFromProjectConfig, List FromConfig: flag, project, variable", () => {
  const env = { CIRCLE_TOKEN: "t", CIRCLECI_ORG_ID: "org-env" };
  const all = { env, chunkConfig: PROJECT };
  assert.is(settings({ ...all, flags: { org: "org-flag" } }).org, "org-flag");
  assert.is(settings(all).org, "org-file");
  assert.is(settings({ env }).org, "org-env");
  assert.is(settings().org, undefined);
});

test("circleciSettings() takes the image of the flag before the project's", () => {
  assert.is(settings({ flags: { image: "snap-flag" }, chunkConfig: PROJECT }).image, "snap-flag");
  assert.is(settings({ chunkConfig: PROJECT }).image, "snap-file");
  assert.is(settings().image, undefined);
});

test("circleciSettings() asks circleci.com, or the server of CIRCLECI_BASE_URL", () => {
  const base = (text: string) =>
    settings({ env: { CIRCLE_TOKEN: "t", CIRCLECI_BASE_URL: text } }).access.baseUrl;
  assert.is(settings().access.baseUrl, "https://circleci.com");
  assert.is(base("http://127.0.0.1:8080/"), "http://127.0.0.1:8080");
  assert.is(base("https://ci.example/circle/"), "https://ci.example/circle");
  for (const text of ["ci.example", "ftp://ci.example", "https://a:b@ci.example"]) {
    assert.match(
      refusal({ env: { CIRCLE_TOKEN: "t", CIRCLECI_BASE_URL: text } }),
      "CIRCLECI_BASE_URL",
    );
  }
});

test("ResolveVariantsWorkspace DefaultsToSidecarHome, ResolveWorkspace DefaultFallback SidecarHomeEnvVar", () => {
  assert.is(settings().workspace, "/home/user/shop");
  const env = { CIRCLE_TOKEN: "t", CHUNK_SIDECAR_HOME: "/root/" };
  assert.is(settings({ env }).workspace, "/root/shop");
});

test("ResolveVariantsWorkspace PrefersWorkdirFlag, ResolveWorkspace CLIFlagWins", () => {
  assert.is(settings({ flags: { workdir: "/srv/x" } }).workspace, "/srv/x");
  assert.is(settings({ flags: { workdir: "/srv/x" }, repo: "" }).workspace, "/srv/x");
});

test("ResolveVariantsWorkspace ErrorsWithoutRepo, ResolveWorkspace EmptyRepoErrors", () => {
  assert.match(refusal({ repo: "" }), /^usage: .*--workdir/);
});

test("circleciSettings() names the file and the field that hold something else", () => {
  const broken = (value: unknown) => refusal({ chunkConfig: { path: "/p/c.json", value } });
  assert.match(broken({ orgID: 5 }), "config-invalid: /p/c.json: orgID must be a text");
  assert.match(
    broken({ validation: { sidecarImage: [] } }),
    "config-invalid: /p/c.json: validation.sidecarImage must be a text",
  );
  assert.match(broken([]), "config-invalid: /p/c.json: the file must hold an object");
});

test("chooseOrg() answers the one that is given without asking", () =>
  withApi(async ({ fake, api, signal }) => {
    assert.is(await chooseOrg(api, "org-1", signal), "org-1");
    assert.is(fake.requests.length, 0);
  }));

test("chooseOrg() answers the only organisation", () =>
  withApi(async ({ fake, api, signal }) => {
    assert.is(await chooseOrg(api, undefined, signal), fake.org);
  }));

test("Create and List NoOrgIDNoConfig, OrgPickerCalled: chooseOrg() lists and asks nobody", () =>
  withApi(async ({ api, signal }) => {
    const { fault, message } = await failure(chooseOrg(api, undefined, signal));
    assert.is(fault, "usage");
    assert.match(message, "--org-id");
    assert.match(message, "org-1  One (gh/one)");
    assert.match(message, "org-2  Two (gh/two)");
  }, {
    collaborations: [
      { id: "org-1", name: "One", slug: "gh/one" },
      { id: "org-2", name: "Two", slug: "gh/two" },
    ],
  }));

test("Create NoCollaborations: chooseOrg() says that there is no organisation", () =>
  withApi(async ({ api, signal }) => {
    const { fault, message } = await failure(chooseOrg(api, undefined, signal));
    assert.is(fault, "usage");
    assert.match(message, "no organisation");
  }, { collaborations: [] }));

test("Create CollaborationsAPIError: chooseOrg() hands the failure on", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("collaborations", { status: 403 });
    const { fault } = await failure(chooseOrg(api, undefined, signal));
    assert.is(fault, "unauthorised never 403");
  }));
