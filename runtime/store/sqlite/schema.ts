/** Says in the file's header whose it is: "side" in ASCII. */
export const APPLICATION_ID = 0x73696465;

/**
 * What brings a file from `user_version` n to n + 1. Released entries are never edited: a change of
 * the schema is a new entry at the end.
 *
 * `actor.owner` is '' where nobody holds the lease. `actor.running` counts the actor's open outbox
 * rows that were handed out, so that the actors of a dead process are found without a look at its
 * idle ones. `outbox.claimed` of an open row is the actor's present epoch or NULL, never an older
 * one: so "may be handed out" is a partial index.
 */
export const MIGRATIONS: readonly string[] = [`
CREATE TABLE actor (
  id TEXT PRIMARY KEY,
  machine TEXT NOT NULL,
  hash TEXT NOT NULL,
  revision INTEGER NOT NULL,
  base INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  status TEXT NOT NULL,
  supervisor TEXT,
  owner TEXT NOT NULL,
  lease_until INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  running INTEGER NOT NULL,
  state TEXT NOT NULL
);
CREATE INDEX actor_running ON actor (owner, lease_until, id) WHERE running > 0;

CREATE TABLE journal (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  actor TEXT NOT NULL,
  revision INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  event TEXT NOT NULL,
  cause TEXT,
  at INTEGER NOT NULL,
  edges TEXT NOT NULL,
  change TEXT NOT NULL,
  UNIQUE (actor, revision),
  UNIQUE (actor, event_id)
);

CREATE TABLE outbox (
  id TEXT NOT NULL UNIQUE,
  actor TEXT NOT NULL,
  revision INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  state TEXT NOT NULL,
  due INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  claimed INTEGER,
  PRIMARY KEY (actor, revision, idx)
) WITHOUT ROWID;
CREATE INDEX outbox_open ON outbox (actor, due) WHERE state = 'open';
CREATE INDEX outbox_due ON outbox (due, actor) WHERE state = 'open' AND claimed IS NULL;

CREATE TABLE inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  actor TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event TEXT NOT NULL,
  cause TEXT,
  at INTEGER NOT NULL,
  UNIQUE (actor, event_id)
);
CREATE INDEX inbox_due ON inbox (at, actor);

CREATE TABLE timer (
  actor TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  due INTEGER NOT NULL,
  event TEXT NOT NULL,
  PRIMARY KEY (actor, id)
) WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due, actor, id);

CREATE TABLE dead_letter (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  actor TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event TEXT NOT NULL,
  reason TEXT NOT NULL,
  error TEXT,
  at INTEGER NOT NULL,
  UNIQUE (actor, event_id)
);
CREATE INDEX dead_letter_at ON dead_letter (at);

CREATE TABLE machine (
  hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  definition TEXT NOT NULL,
  at INTEGER NOT NULL
);

CREATE TABLE record (
  collection TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (collection, key)
) WITHOUT ROWID;
`];
