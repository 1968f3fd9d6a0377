import * as assert from "uvu/assert";
import { placeOfWorker } from "../../../runtime/sidecars/remote/place-of-worker.ts";
import { suite } from "../../harness.ts";

const test = suite("placeOfWorker()");

function places(count: number, lanes: number | readonly number[]): string[] {
  return Array.from({ length: count }, (_, worker) => {
    const { host, lane } = placeOfWorker(worker, lanes);
    return `${host}.${lane}`;
  });
}

test("placeOfWorker() fills the lanes of one host after the other", () => {
  assert.equal(places(3, 1), ["0.0", "1.0", "2.0"]);
  assert.equal(places(5, 2), ["0.0", "0.1", "1.0", "1.1", "2.0"]);
});

test("placeOfWorker() knows hosts with lanes of their own, the last of them for all others", () => {
  assert.equal(places(6, [2, 1, 3]), ["0.0", "0.1", "1.0", "2.0", "2.1", "2.2"]);
  assert.equal(places(5, [1, 2]), ["0.0", "1.0", "1.1", "2.0", "2.1"]);
});
