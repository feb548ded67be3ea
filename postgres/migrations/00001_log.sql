-- +goose Up
-- A shard's last commit number is the compare of every append, and its row the only lock of one, taken first; a commit row holds the
-- entries of many logs; blocks hold one log each and take over what was committed. The bytes in them: docs/reference/formats.md. Triggers
-- are a seat belt against accidents, not a lock against people: what protects the log from people is its tree.
CREATE TABLE shards (
  shard  smallint PRIMARY KEY,
  last   bigint NOT NULL DEFAULT 0,
  merged bigint NOT NULL DEFAULT 0,
  signed bigint NOT NULL DEFAULT 0,
  CHECK (merged BETWEEN 0 AND last)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE heads (
  log_no        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (log_no BETWEEN 1 AND 8388607), -- never reused
  org           text COLLATE "C" NOT NULL,
  epoch         int      NOT NULL DEFAULT 0,
  shard         smallint NOT NULL,
  log_id        bytea    NOT NULL,
  packed        bigint   NOT NULL DEFAULT 0,
  frontier      bytea    NOT NULL DEFAULT '',
  last_received bigint   NOT NULL DEFAULT 0,
  id_ahead      bigint   NOT NULL DEFAULT 0,
  state         smallint NOT NULL DEFAULT 0, -- 0 open, 1 frozen, 2 closed
  UNIQUE (org, epoch),
  UNIQUE (log_id)
) WITH (fillfactor = 70);

CREATE TABLE commits (
  shard   smallint NOT NULL,
  n       bigint   NOT NULL,
  at      bigint   NOT NULL,
  entries int      NOT NULL,
  raw     bigint   NOT NULL,
  data    bytea    NOT NULL, -- bytes 8 to 23 are the commit's id
  PRIMARY KEY (shard, n)
);
ALTER TABLE commits ALTER data SET STORAGE EXTERNAL; -- packed already

CREATE TABLE blocks (
  log_no       bigint   NOT NULL,
  first        bigint   NOT NULL,
  n            int      NOT NULL,
  live         int      NOT NULL,
  gen          int      NOT NULL,
  state        smallint NOT NULL,
  raw          bigint   NOT NULL,
  min_received bigint   NOT NULL,
  max_received bigint   NOT NULL,
  min_occurred bigint   NOT NULL,
  max_occurred bigint   NOT NULL,
  late_min     bigint   NOT NULL,
  late_max     bigint   NOT NULL,
  roots        bytea    NOT NULL,
  facets       bytea    NOT NULL,
  filter       bytea,
  PRIMARY KEY (log_no, first)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
ALTER TABLE blocks ALTER filter SET STORAGE EXTERNAL;

CREATE TABLE block_data (
  log_no bigint NOT NULL,
  first  bigint NOT NULL,
  data   bytea  NOT NULL,
  PRIMARY KEY (log_no, first)
);
ALTER TABLE block_data ALTER data SET STORAGE EXTERNAL;

CREATE TABLE slips (
  log_no bigint   NOT NULL,
  kind   smallint NOT NULL,
  a      int      NOT NULL,
  b      int      NOT NULL,
  data   bytea    NOT NULL,
  PRIMARY KEY (log_no, kind, a, b)
);

CREATE TABLE checkpoints (
  log_no bigint NOT NULL,
  size   bigint NOT NULL,
  at     bigint NOT NULL, -- when it was signed, µs since 1970
  note   bytea  NOT NULL,
  PRIMARY KEY (log_no, size)
);

CREATE TABLE idem (
  log_no  bigint NOT NULL,
  hash    bytea  NOT NULL,
  first   bigint NOT NULL,
  n       int    NOT NULL,
  expires bigint NOT NULL, -- hours since 1970
  PRIMARY KEY (log_no, hash)
);
CREATE INDEX idem_expires ON idem (expires);

CREATE TABLE documents (
  kind    text COLLATE "C" NOT NULL,
  org     text COLLATE "C" NOT NULL,
  id      text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  data    bytea  NOT NULL, -- as it was given: jsonb would write numbers anew
  PRIMARY KEY (kind, org, id)
);

-- +goose StatementBegin
-- append is one commit in one round trip: a single statement is its own transaction. It returns the keys that are taken, and then the
-- caller's transaction must be rolled back, which the error DB002 does; DB001: the head has moved.
CREATE FUNCTION append(p_shard smallint, p_prev bigint, p_at bigint, p_entries int, p_raw bigint, p_data bytea,
  k_log bigint[], k_hash bytea[], k_first bigint[], k_n int[], k_expires bigint[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE taken text;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  UPDATE shards SET last = last + 1 WHERE shard = p_shard AND last = p_prev AND signed <= p_at;
  IF NOT FOUND THEN
    IF EXISTS (SELECT FROM commits WHERE shard = p_shard AND n = p_prev + 1 AND substring(data, 9, 16) = substring(p_data, 9, 16)) THEN
      RETURN;
    END IF;
    RAISE EXCEPTION 'head moved' USING ERRCODE = 'DB001';
  END IF;
  INSERT INTO commits VALUES (p_shard, p_prev + 1, p_at, p_entries, p_raw, p_data);
  IF cardinality(k_log) > 0 THEN
    DELETE FROM idem i USING unnest(k_log, k_hash) AS u(l, h) WHERE i.log_no = u.l AND i.hash = u.h AND i.expires <= p_at / 3600000000;
    SELECT string_agg(u.i::text, ',') INTO taken FROM unnest(k_log, k_hash) WITH ORDINALITY AS u(l, h, i) JOIN idem ON idem.log_no = u.l AND idem.hash = u.h;
    IF taken IS NOT NULL THEN
      RAISE EXCEPTION 'keys exist' USING ERRCODE = 'DB002', DETAIL = taken;
    END IF;
    INSERT INTO idem SELECT * FROM unnest(k_log, k_hash, k_first, k_n, k_expires);
  END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'daybook: %', TG_ARGV[0] USING ERRCODE = 'DB009'; END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION refuse_unmerged() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF OLD.n > (SELECT merged FROM shards WHERE shard = OLD.shard) THEN
    RAISE EXCEPTION 'daybook: commit not merged' USING ERRCODE = 'DB009';
  END IF;
  RETURN OLD;
END $$;
-- +goose StatementEnd
CREATE TRIGGER keep BEFORE UPDATE ON commits FOR EACH ROW EXECUTE FUNCTION refuse('a commit is never changed');
CREATE TRIGGER trim BEFORE DELETE ON commits FOR EACH ROW EXECUTE FUNCTION refuse_unmerged();
CREATE TRIGGER forward BEFORE UPDATE ON shards FOR EACH ROW
  WHEN (NEW.last < OLD.last OR NEW.merged < OLD.merged OR NEW.signed < OLD.signed OR NEW.shard <> OLD.shard) EXECUTE FUNCTION refuse('a shard only moves forward');
CREATE TRIGGER keep BEFORE DELETE ON shards FOR EACH ROW EXECUTE FUNCTION refuse('a shard is never deleted');
CREATE TRIGGER forward BEFORE UPDATE ON heads FOR EACH ROW
  WHEN (NEW.packed < OLD.packed OR NEW.log_id <> OLD.log_id OR NEW.org <> OLD.org OR NEW.log_no <> OLD.log_no OR NEW.epoch <> OLD.epoch)
  EXECUTE FUNCTION refuse('a head only moves forward');
CREATE TRIGGER keep BEFORE DELETE ON heads FOR EACH ROW WHEN (OLD.state <> 2) EXECUTE FUNCTION refuse('log not closed');
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON blocks FOR EACH ROW
  WHEN (current_setting('daybook.replacing', true) IS DISTINCT FROM '1') EXECUTE FUNCTION refuse('blocks are only replaced');
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON block_data FOR EACH ROW
  WHEN (current_setting('daybook.replacing', true) IS DISTINCT FROM '1') EXECUTE FUNCTION refuse('blocks are only replaced');
CREATE TRIGGER keep BEFORE UPDATE ON checkpoints FOR EACH ROW EXECUTE FUNCTION refuse('a checkpoint is never changed');
CREATE TRIGGER stay BEFORE DELETE ON checkpoints FOR EACH ROW
  WHEN (current_setting('daybook.replacing', true) IS DISTINCT FROM '1') EXECUTE FUNCTION refuse('checkpoints are kept');
