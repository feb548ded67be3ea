-- +goose Up
-- A shard's last commit number is the compare of every append; a commit row holds the entries of many logs; blocks hold one log each
-- and take over what was committed. The bytes in them: docs/reference/formats.md. Triggers are a seat belt against accidents, not a lock
-- against people: what protects the log from people is its tree.
PRAGMA application_id = 1145195339; -- "DBKK"

CREATE TABLE guard (replacing INTEGER NOT NULL) STRICT; -- one row: 1 inside Replace, else 0
INSERT INTO guard VALUES (0);

CREATE TABLE shards (
  shard  INTEGER PRIMARY KEY,
  last   INTEGER NOT NULL,
  merged INTEGER NOT NULL,
  signed INTEGER NOT NULL,
  CHECK (merged BETWEEN 0 AND last)
) STRICT;
INSERT INTO shards VALUES (0, 0, 0, 0);

CREATE TABLE heads (
  log_no        INTEGER PRIMARY KEY AUTOINCREMENT CHECK (log_no BETWEEN 1 AND 8388607), -- never reused, even when a log is dropped
  org           TEXT    NOT NULL,
  epoch         INTEGER NOT NULL DEFAULT 0,
  log_id        BLOB    NOT NULL,
  packed        INTEGER NOT NULL DEFAULT 0,
  frontier      BLOB    NOT NULL DEFAULT x'',
  last_received INTEGER NOT NULL DEFAULT 0,
  id_ahead      INTEGER NOT NULL DEFAULT 0,
  state         INTEGER NOT NULL DEFAULT 0, -- 0 open, 1 frozen, 2 closed
  UNIQUE (org, epoch),
  UNIQUE (log_id)
) STRICT;

CREATE TABLE commits (
  n       INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  raw     INTEGER NOT NULL,
  data    BLOB    NOT NULL -- bytes 8 to 23 are the commit's id
) STRICT;

CREATE TABLE blocks (
  k            INTEGER PRIMARY KEY, -- log_no << 40 | first
  n            INTEGER NOT NULL,
  live         INTEGER NOT NULL,
  gen          INTEGER NOT NULL,
  state        INTEGER NOT NULL,
  raw          INTEGER NOT NULL,
  min_received INTEGER NOT NULL,
  max_received INTEGER NOT NULL,
  min_occurred INTEGER NOT NULL,
  max_occurred INTEGER NOT NULL,
  late_min     INTEGER NOT NULL,
  late_max     INTEGER NOT NULL,
  roots        BLOB    NOT NULL,
  facets       BLOB    NOT NULL,
  filter       BLOB             -- its terms, names among them, are spread by window and group; last: a listing without it reads no overflow page
) STRICT;

CREATE TABLE block_data (k INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

CREATE TABLE slips (k INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT; -- log_no << 40 | kind << 36 | a << 24 | b

-- Hashes are random: a row of its own, found by rowid, leaves one tree of three in which a new key falls on a random page.
CREATE TABLE idem (
  id      INTEGER PRIMARY KEY,
  log_no  INTEGER NOT NULL,
  hash    BLOB    NOT NULL,
  first   INTEGER NOT NULL,
  n       INTEGER NOT NULL,
  expires INTEGER NOT NULL, -- hours since 1970
  UNIQUE (log_no, hash)
) STRICT;
CREATE INDEX idem_expires ON idem (expires);

CREATE TABLE documents (
  kind    TEXT    NOT NULL,
  org     TEXT    NOT NULL,
  id      TEXT    NOT NULL,
  version INTEGER NOT NULL,
  data    BLOB    NOT NULL,
  PRIMARY KEY (kind, org, id)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER commits_keep BEFORE UPDATE ON commits
BEGIN SELECT RAISE(ABORT, 'daybook: a commit is never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER commits_trim BEFORE DELETE ON commits WHEN OLD.n > (SELECT merged FROM shards)
BEGIN SELECT RAISE(ABORT, 'daybook: commit not merged'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER shards_forward BEFORE UPDATE ON shards
WHEN NEW.last < OLD.last OR NEW.merged < OLD.merged OR NEW.signed < OLD.signed OR NEW.shard <> OLD.shard
BEGIN SELECT RAISE(ABORT, 'daybook: a shard only moves forward'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER shards_keep BEFORE DELETE ON shards
BEGIN SELECT RAISE(ABORT, 'daybook: a shard is never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER heads_forward BEFORE UPDATE ON heads
WHEN NEW.packed < OLD.packed OR NEW.log_id <> OLD.log_id OR NEW.org <> OLD.org OR NEW.log_no <> OLD.log_no OR NEW.epoch <> OLD.epoch
BEGIN SELECT RAISE(ABORT, 'daybook: a head only moves forward'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER heads_keep BEFORE DELETE ON heads WHEN OLD.state <> 2
BEGIN SELECT RAISE(ABORT, 'daybook: log not closed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER blocks_keep BEFORE DELETE ON blocks WHEN (SELECT replacing FROM guard) = 0
BEGIN SELECT RAISE(ABORT, 'daybook: blocks are only replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER blocks_stay BEFORE UPDATE ON blocks WHEN (SELECT replacing FROM guard) = 0
BEGIN SELECT RAISE(ABORT, 'daybook: blocks are only replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER block_data_keep BEFORE DELETE ON block_data WHEN (SELECT replacing FROM guard) = 0
BEGIN SELECT RAISE(ABORT, 'daybook: blocks are only replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER block_data_stay BEFORE UPDATE ON block_data WHEN (SELECT replacing FROM guard) = 0
BEGIN SELECT RAISE(ABORT, 'daybook: blocks are only replaced'); END;
-- +goose StatementEnd
