import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { tunnelUrl, withoutSecrets } from "../../runtime/ssh/tunnel-url.ts";
import { suite } from "../harness.ts";

const test = suite("tunnelUrl");

const shapes: Readonly<Record<string, string>> = {
  "box.example.com": "ws://box.example.com/ssh/tunnel",
  "box.example.com:2222": "ws://box.example.com:2222/ssh/tunnel",
  "ws://box.example.com": "ws://box.example.com/ssh/tunnel",
  "wss://box.example.com:8443": "wss://box.example.com:8443/ssh/tunnel",
  "http://box.example.com/": "ws://box.example.com/ssh/tunnel",
  "https://box.example.com": "wss://box.example.com/ssh/tunnel",
  "https://box.example.com/ssh/tunnel": "wss://box.example.com/ssh/tunnel",
  "wss://box.example.com/some/path/": "wss://box.example.com/some/path/ssh/tunnel",
  "https://box.example.com/a?token=x": "wss://box.example.com/a/ssh/tunnel?token=x",
  "ws://[::1]:99": "ws://[::1]:99/ssh/tunnel",
};

for (const [text, url] of Object.entries(shapes)) {
  test(`ToWebSocketURL: tunnelUrl("${text}") is ${url}`, () =>
    assert.is(tunnelUrl(text).href, url));
}

test("tunnelUrl() refuses other schemes and no host, without showing secrets", () => {
  for (const text of ["ssh://user:secret@box", "", "ws://", "file:///etc/secret?secret"]) {
    let error: unknown;
    try {
      tunnelUrl(text);
    } catch (thrown) {
      error = thrown;
    }
    if (!isSidecanaryError(error, "usage")) throw error;
    assert.is(error.message.includes(":secret"), false);
    assert.is(error.message.includes("?secret"), false);
  }
});

test("withoutSecrets() leaves out user, password, query and fragment", () => {
  const shown = withoutSecrets("wss://user:pass@box:1/ssh/tunnel?token=x#y");
  assert.is(shown, "wss://box:1/ssh/tunnel");
});
