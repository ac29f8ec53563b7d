/** The tables of relay.db. A change is a new step at the end; `user_version` says how many steps a file has seen. */
export const STEPS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE agent (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, token_hash TEXT NOT NULL, is_person INTEGER NOT NULL,
    project TEXT, repository TEXT, model TEXT, client TEXT, capabilities TEXT NOT NULL,
    epoch INTEGER, claim TEXT NOT NULL, last_seen_at REAL, pushed_to INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- n is the order of this machine. way: 0 out, 1 in, 2 local. state: 0 queued to 5 failed, as in receipt.ts.
  -- is_open: something still has to happen with it after a restart. Times are ms since 1970 on this machine, ts the sender's.
  CREATE TABLE message (
    n INTEGER PRIMARY KEY, is_open INTEGER NOT NULL, way INTEGER NOT NULL, state INTEGER NOT NULL, id TEXT NOT NULL,
    from_agent TEXT NOT NULL, from_machine TEXT NOT NULL, from_person TEXT, from_project TEXT,
    to_agent TEXT NOT NULL, to_key TEXT NOT NULL, to_machine TEXT NOT NULL, project TEXT, via TEXT, thread TEXT, reply_to TEXT,
    stream TEXT, seq INTEGER, trace TEXT, ts INTEGER NOT NULL, at REAL NOT NULL, expires_at REAL NOT NULL,
    size INTEGER NOT NULL, attempts INTEGER, path TEXT, reason TEXT, note TEXT,
    sent_at REAL, stored_at REAL, accepted_at REAL, injected_at REAL, seen_at REAL, failed_at REAL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX message_id ON message (id);
  CREATE INDEX message_open ON message (n) WHERE is_open = 1;
  CREATE INDEX message_inbox ON message (to_key, n) WHERE way > 0;

  CREATE TABLE out_stream (
    id TEXT PRIMARY KEY, machine TEXT NOT NULL, next INTEGER NOT NULL, sent_to INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE watermark (
    machine TEXT NOT NULL, outbox_epoch TEXT NOT NULL, stream TEXT NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (machine, outbox_epoch, stream)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Messages from other machines whose state is not known to be on their senders' disks. A table of its own, because a column
  -- would write the whole message, with its body, once more.
  CREATE TABLE owed (n INTEGER PRIMARY KEY) STRICT;
  `,
  // dead: 0 no dead letter, 1 open, 2 retried, 3 dropped. tried_at: the latest attempt.
  `
  ALTER TABLE message ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE message ADD COLUMN retry_of TEXT;
  ALTER TABLE message ADD COLUMN retried_as TEXT;
  ALTER TABLE message ADD COLUMN tried_at REAL;
  UPDATE message SET dead = 1 WHERE state = 5 AND way <> 1 AND from_agent <> '[relay]';
  CREATE INDEX message_dead ON message (n) WHERE dead = 1;
  `,
]
