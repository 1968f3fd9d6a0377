import { SidecanaryError } from "../errors.ts";
import type { Json } from "../json.ts";
import { plainJson } from "../plain-json.ts";
import type { EventData } from "./actor-state.ts";
import type { StartDelivery } from "./answer.ts";
import type { Job } from "./job.ts";

/**
 * The start of an actor, as the engine queues it.
 * @throws SidecanaryError `event-refused` for an id that is none, `not-json`
 */
export function startJob(each: StartDelivery): Job {
  const { actor, machine, input = null, restartInput, supervisor = null } = each;
  checkId(actor, "start");
  const plain = JSON.parse(plainJson(input, `input of actor "${actor}"`)) as Json;
  return {
    actor,
    eventId: each.eventId ?? "init",
    cause: each.cause ?? null,
    what: {
      kind: "start",
      machine,
      input: plain,
      ...(restartInput === undefined ? {} : { restartInput }),
      supervisor,
    },
  };
}

/**
 * An event from outside, as the engine queues it.
 * @throws SidecanaryError `event-refused`, `not-json`
 */
export function eventJob(
  actor: string,
  event: EventData,
  eventId: string,
  cause: string | null,
): Job {
  checkId(actor, String(event?.type));
  const type: unknown = event?.type;
  if (typeof type !== "string" || type === "" || type === "*") {
    throw refused(actor, String(type), `its type is ${JSON.stringify(type)}, not a name`);
  }
  if (type.startsWith("xstate.") || type.startsWith("sidecanary.")) {
    throw refused(actor, type, `"xstate.*" and "sidecanary.*" are the engine's own`);
  }
  if (typeof eventId !== "string" || eventId === "" || eventId.includes("\0")) {
    throw refused(actor, type, `it has no usable event id; mint one where the event arises`);
  }
  // Parsed again, so that what the machine sees now is what a later reader of the journal sees.
  const plain = JSON.parse(plainJson(event, `event "${type}" for actor "${actor}"`)) as EventData;
  return { actor, eventId, cause, what: { kind: "event", event: plain } };
}

function checkId(actor: string, event: string): void {
  if (typeof actor !== "string" || actor === "" || actor.includes("\0")) {
    throw refused(
      String(actor),
      event,
      "an actor's id is a string of 1 or more characters, not U+0000",
    );
  }
}

function refused(actor: string, event: string, why: string): SidecanaryError {
  return new SidecanaryError(
    "event-refused",
    `Cannot deliver "${event}" to actor "${actor}": ${why}`,
    { actor, event },
  );
}
