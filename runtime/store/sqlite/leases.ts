import { compareText } from "../text-order.ts";
import type { Driver, Statement } from "./driver.ts";
import type { ActorRow, ClaimedWork, ClaimRequest } from "../store.ts";
import { ACTOR, actorRow, INBOX, inboxRow, OUTBOX, outboxRow, TIMER, timerRow } from "./rows.ts";

/** Finds work and moves leases. What writes is called inside the transaction that the caller holds. */
export interface Leases {
  /** Whether {@link Leases.claim} would find something: a read, so that pollers take no lock. */
  hasWork(request: ClaimRequest): boolean;
  claim(request: ClaimRequest): ClaimedWork[];
  nextDue(owner: string, hashes: readonly string[], now: number): number | undefined;
  renew(owner: string, actors: readonly string[], until: number): string[];
  release(owner: string, actors: readonly string[]): void;
}

interface Candidate {
  readonly id: string;
  readonly due: number;
}

/** The tables that hold work, each read in the order of its index on the due time. */
const WORK = [
  { due: "w.due", from: "outbox w", where: "w.state = 'open' AND w.claimed IS NULL" },
  { due: "w.at", from: "inbox w", where: "TRUE" },
  { due: "w.due", from: "timer w", where: "TRUE" },
];

/** When the first effect that was handed out may be tried again. */
const CLAIMED_DUE = `(SELECT min(o.due) FROM outbox o
  WHERE o.actor = a.id AND o.state = 'open' AND o.claimed IS NOT NULL)`;

/** Prepares the statements of {@link Leases}. */
export function prepareLeases(driver: Driver): Leases {
  // CROSS JOIN keeps SQLite from looking at the actors first.
  const dueWork = WORK.map(({ due, from, where }) =>
    driver.prepare(`
      SELECT a.id AS id, ${due} AS due FROM ${from} CROSS JOIN actor a ON a.id = w.actor
      WHERE ${where} AND ${due} <= ?1 AND (a.owner IN ('', ?2) OR a.lease_until <= ?1)
        AND a.hash IN (SELECT value FROM json_each(?3))
      ORDER BY ${due}, w.actor LIMIT ?4`)
  );
  const abandoned = driver.prepare(`
    SELECT a.id AS id, max(a.lease_until, ${CLAIMED_DUE}) AS due FROM actor a
    WHERE a.running > 0 AND a.owner = ?2 AND a.lease_until <= ?1
      AND a.hash IN (SELECT value FROM json_each(?3)) AND ${CLAIMED_DUE} <= ?1
      AND a.id NOT IN (SELECT value FROM json_each(?4))
    ORDER BY a.lease_until, a.id LIMIT ?5`);
  // One step down the index for each owner, however many actors it has.
  const otherOwners = driver.prepare(`
    WITH RECURSIVE each(owner) AS (
      SELECT min(owner) FROM actor WHERE running > 0
      UNION ALL
      SELECT (SELECT min(owner) FROM actor WHERE running > 0 AND owner > each.owner) FROM each
      WHERE each.owner IS NOT NULL
    )
    SELECT owner FROM each WHERE owner IS NOT NULL AND owner <> ?`);
  const nextWork = WORK.map(({ due, from, where }) => {
    const claimable = `CASE WHEN a.owner IN ('', ?2) OR a.lease_until <= ?1 THEN ${due}
      ELSE max(${due}, a.lease_until) END`;
    const rest = `FROM ${from} CROSS JOIN actor a ON a.id = w.actor
      WHERE ${where} AND ${due} < ?4 AND a.hash IN (SELECT value FROM json_each(?3))`;
    return {
      first: driver.prepare(`SELECT ${claimable} AS at ${rest} ORDER BY ${due} LIMIT 1`),
      lowest: driver.prepare(`SELECT min(${claimable}) AS at ${rest}`),
    };
  });
  const abandonedFrom = `FROM actor a WHERE a.running > 0 AND a.owner = ?2 AND a.lease_until < ?4
    AND ?1 IS NOT NULL AND a.hash IN (SELECT value FROM json_each(?3))`;
  const nextAbandoned = {
    first: driver.prepare(`
      SELECT max(a.lease_until, ${CLAIMED_DUE}) AS at ${abandonedFrom}
      ORDER BY a.lease_until LIMIT 1`),
    lowest: driver.prepare(
      `SELECT min(max(a.lease_until, ${CLAIMED_DUE})) AS at ${abandonedFrom}`,
    ),
  };
  const readActor = driver.prepare(`SELECT ${ACTOR} FROM actor WHERE id = ?`);
  const lease = driver.prepare(`
    UPDATE actor SET owner = ?, lease_until = ?, epoch = ?, running = running + ? WHERE id = ?`);
  const unclaim = driver.prepare(`
    UPDATE outbox INDEXED BY outbox_open SET claimed = NULL
    WHERE actor = ? AND state = 'open' AND claimed IS NOT NULL`);
  const dueOutbox = driver.prepare(`
    SELECT ${OUTBOX} FROM outbox
    WHERE actor = ? AND state = 'open' AND due <= ? AND claimed IS NULL ORDER BY revision, idx`);
  const claimOutbox = driver.prepare(`
    UPDATE outbox SET claimed = ?
    WHERE actor = ? AND state = 'open' AND due <= ? AND claimed IS NULL`);
  const readInbox = driver.prepare(`SELECT ${INBOX} FROM inbox WHERE actor = ? ORDER BY seq`);
  const dueTimers = driver.prepare(`
    SELECT ${TIMER} FROM timer WHERE actor = ? AND due <= ? ORDER BY due, id`);
  const prolong = driver.prepare(`
    UPDATE actor SET lease_until = max(lease_until, ?) WHERE id = ? AND owner = ?`);
  const release = driver.prepare(`
    UPDATE actor SET owner = '', lease_until = 0, running = 0 WHERE id = ? AND owner = ?`);

  function candidates(request: ClaimRequest): Candidate[] {
    const { owner, now, running } = request;
    if (request.limit <= 0) return [];
    const found = new Map<string, Candidate>();
    const hashes = JSON.stringify(request.hashes);
    const ask = (statement: Statement, who: string, ...more: string[]) => {
      for (const each of firstActors(statement, [now, who, hashes, ...more], request.limit)) {
        const earlier = found.get(each.id);
        if (earlier === undefined || each.due < earlier.due) found.set(each.id, each);
      }
    };
    for (const statement of dueWork) ask(statement, owner);
    for (const other of others(owner)) ask(abandoned, other, "[]");
    if (running !== undefined) ask(abandoned, owner, JSON.stringify(running));
    return [...found.values()]
      .sort((a, b) => a.due - b.due || compareText(a.id, b.id))
      .slice(0, request.limit);
  }

  function others(owner: string): string[] {
    return (otherOwners.all(owner) as { readonly owner: string }[]).map((row) => row.owner);
  }

  function take(id: string, { owner, now, until, running }: ClaimRequest): ClaimedWork {
    const stored = actorRow(readActor.get(id));
    const lives = stored.leaseUntil > now || running === undefined || running.includes(id);
    const own = stored.owner === owner && lives;
    const epoch = own ? stored.epoch : stored.epoch + 1;
    const leaseUntil = own ? Math.max(stored.leaseUntil, until) : until;
    const freed = own ? 0 : Number(unclaim.run(id).changes);
    const outbox = dueOutbox.all(id, now)
      .map((row) => ({ ...outboxRow(row), claimed: epoch }));
    if (outbox.length > 0) claimOutbox.run(epoch, id, now);
    lease.run(owner, leaseUntil, epoch, outbox.length - freed, id);
    const actor: ActorRow = { ...stored, owner, epoch, leaseUntil };
    return {
      actor,
      outbox,
      inbox: readInbox.all(id).map(inboxRow),
      timers: dueTimers.all(id, now).map(timerRow),
    };
  }

  return {
    hasWork: (request) => candidates({ ...request, limit: Math.min(1, request.limit) }).length > 0,
    claim: (request) => candidates(request).map(({ id }) => take(id, request)),
    nextDue(owner, hashes, now) {
      const names = JSON.stringify(hashes);
      let best = Number.MAX_SAFE_INTEGER;
      const ask = ({ first, lowest }: typeof nextAbandoned, who: string) => {
        best = Math.min(best, at(first.get(now, who, names, best)));
        best = Math.min(best, at(lowest.get(now, who, names, best)));
      };
      for (const statements of nextWork) ask(statements, owner);
      for (const other of others(owner)) ask(nextAbandoned, other);
      return best === Number.MAX_SAFE_INTEGER ? undefined : Math.max(best, now);
    },
    renew: (owner, actors, until) =>
      actors.filter((id) => Number(prolong.run(until, id, owner).changes) === 0),
    release(owner, actors) {
      for (const id of actors) {
        if (Number(release.run(id, owner).changes) > 0) unclaim.run(id);
      }
    },
  };
}

/** The first `limit` actors of a statement that answers a row for each piece of their work. */
function firstActors(
  statement: Statement,
  values: readonly [number, ...string[]],
  limit: number,
): Iterable<Candidate> {
  for (let rows = limit * 2;; rows *= 4) {
    const answer = statement.all(...values, rows) as Candidate[];
    const found = new Map<string, Candidate>();
    for (const { id, due } of answer) {
      if (found.size >= limit) break;
      if (!found.has(id)) found.set(id, { id, due });
    }
    if (found.size >= limit || answer.length < rows) return found.values();
  }
}

function at(row: unknown): number {
  return (row as { readonly at: number | null } | undefined)?.at ?? Infinity;
}
