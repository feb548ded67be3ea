-- A shard's last commit number is the compare of every append, and its row the only lock of one, taken first; a commit row holds the
-- entries of many logs; blocks hold one log each and take over what was committed. The bytes in them: docs/reference/formats.md. Triggers
-- are a seat belt against accidents, not a lock against people: what protects the log from people is its tree.
CREATE TABLE shards (
  shard  smallint PRIMARY KEY,
  last   bigint NOT NULL DEFAULT 0,
  merged bigint NOT NULL DEFAULT 0,
  signed bigint NOT NULL DEFAULT 0,
  states bigint NOT NULL DEFAULT 0, -- how often a log of it was frozen or closed
  CHECK (merged BETWEEN 0 AND last)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- Beside the shards, so that an append never waits for a merge: how often a log of each was changed by other means than a commit, and when
-- each log was, last. What is dropped stays here.
CREATE TABLE moves (
  shard smallint PRIMARY KEY REFERENCES shards,
  last  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
CREATE TABLE moved (
  log_no bigint   PRIMARY KEY,
  shard  smallint NOT NULL,
  move   bigint   NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX moved_since ON moved (shard, move);

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
  turn          bigint   NOT NULL DEFAULT 1, -- one more with every swap
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
) WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off,
  toast.autovacuum_vacuum_threshold = 20000, toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_cost_delay = 0, toast.vacuum_truncate = off);
-- Every row goes soon after it came: space is used again within a minute or so, and no vacuum keeps an append waiting to give it back.
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
) PARTITION BY HASH (log_no); -- so that one part can be rewritten while readers of the others go on
ALTER TABLE block_data ALTER data SET STORAGE EXTERNAL;
DO $$
BEGIN
  FOR i IN 0..15 LOOP
    EXECUTE format('CREATE TABLE block_data_%s PARTITION OF block_data FOR VALUES WITH (MODULUS 16, REMAINDER %s)
      WITH (autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05)', i, i);
  END LOOP;
END $$;

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

CREATE TABLE leases (
  name   text COLLATE "C" PRIMARY KEY,
  holder text NOT NULL,
  until  timestamptz NOT NULL -- by the clock of the server
) WITH (fillfactor = 50);

CREATE TABLE documents (
  kind    text COLLATE "C" NOT NULL,
  org     text COLLATE "C" NOT NULL,
  id      text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  data    bytea  NOT NULL, -- as it was given: jsonb would write numbers anew
  PRIMARY KEY (kind, org, id)
);

-- What follows is the only way to change the log for a role that does not own it. Each function runs with the owner's rights and checks
-- what it is asked. Locks are taken in one order: shards, moves, heads.

-- append is one commit in one round trip: a single statement is its own transaction. It writes nothing and raises DB001 when the head has
-- moved, DB002 with the places of the keys that are taken, DB003 when the server would lose what it acknowledges.
CREATE FUNCTION append(p_shard smallint, p_prev bigint, p_states bigint, p_at bigint, p_entries int, p_raw bigint, p_data bytea,
  k_log bigint[], k_hash bytea[], k_first bigint[], k_n int[], k_expires bigint[]) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE taken text;
BEGIN
  IF current_setting('fsync') <> 'on' OR current_setting('full_page_writes') <> 'on' THEN
    RAISE EXCEPTION 'the server runs with fsync = %, full_page_writes = %', current_setting('fsync'), current_setting('full_page_writes') USING ERRCODE = 'DB003';
  END IF;
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  UPDATE shards SET last = last + 1 WHERE shard = p_shard AND last = p_prev AND signed <= p_at AND states = p_states;
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

-- lock_shard keeps others from appending to a shard until the transaction ends, those who came before first. It returns where the shard
-- stands, with the commits after p_after up to p_rows of them.
CREATE FUNCTION lock_shard(p_shard smallint, p_after bigint, p_rows int) RETURNS TABLE (r_last bigint, r_merged bigint, r_signed bigint, r_states bigint,
  r_n bigint, r_data bytea) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE s shards;
BEGIN
  SELECT * INTO s FROM shards WHERE shard = p_shard FOR NO KEY UPDATE;
  RETURN QUERY SELECT s.last, s.merged, s.signed, s.states, c.n, c.data FROM (VALUES (1)) AS one
    LEFT JOIN (SELECT n, data FROM commits WHERE shard = p_shard AND n > p_after ORDER BY n LIMIT p_rows) AS c ON true ORDER BY c.n;
END $$;

-- move counts a change of logs of one shard, whose row it locks.
CREATE FUNCTION move(p_shard smallint, p_logs bigint[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE v_move bigint;
BEGIN
  UPDATE moves SET last = last + 1 WHERE shard = p_shard RETURNING last INTO v_move;
  INSERT INTO moved SELECT u.l, p_shard, v_move FROM unnest(p_logs) AS u(l) ON CONFLICT (log_no) DO UPDATE SET move = excluded.move;
END $$;

-- replace_blocks is Replace of logs that are each named once. What goes out must be there, and what comes in must cover the same seqs, and
-- those from the head to where it is folded, and the log must be in the turn that is named, if one is: else DB005; DB004 when there is no such log. It returns where the heads ended and how many seqs
-- each block covered that went out.
CREATE FUNCTION replace_blocks(p_log bigint[], p_turn bigint[], o_log bigint[], o_first bigint[], o_gen int[],
  i_log bigint[], i_first bigint[], i_n int[], i_live int[], i_gen int[], i_state smallint[], i_raw bigint[],
  i_min_received bigint[], i_max_received bigint[], i_min_occurred bigint[], i_max_occurred bigint[], i_late_min bigint[], i_late_max bigint[],
  i_roots bytea[], i_facets bytea[], i_filter bytea[], i_data bytea[],
  s_log bigint[], s_kind smallint[], s_a int[], s_b int[], s_data bytea[],
  f_log bigint[], f_packed bigint[], f_received bigint[], f_frontier bytea[], f_ahead bigint[], OUT r_packed bigint[], OUT r_covers int[])
  LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE v_shard smallint; r_turn bigint[];
BEGIN
  PERFORM set_config('daybook.replacing', '1', true);
  FOR v_shard IN SELECT DISTINCT h.shard FROM unnest(p_log) AS u(l) JOIN heads h ON h.log_no = u.l ORDER BY 1 LOOP
    PERFORM move(v_shard, array_agg(h.log_no)) FROM unnest(p_log) AS u(l) JOIN heads h ON h.log_no = u.l WHERE h.shard = v_shard;
  END LOOP;
  SELECT array_agg(h.packed ORDER BY h.i), array_agg(h.turn ORDER BY h.i) INTO r_packed, r_turn FROM
    (SELECT u.i, t.packed, t.turn FROM unnest(p_log) WITH ORDINALITY AS u(l, i) JOIN heads t ON t.log_no = u.l ORDER BY t.log_no FOR UPDATE OF t) AS h;
  IF coalesce(cardinality(r_packed), 0) < cardinality(p_log) THEN
    RAISE EXCEPTION 'no such log' USING ERRCODE = 'DB004';
  END IF;
  IF EXISTS (SELECT FROM unnest(p_turn, r_turn) AS u(want, is_now) WHERE want <> 0 AND want <> is_now) THEN
    RAISE EXCEPTION 'the log is in another turn' USING ERRCODE = 'DB005';
  END IF;
  IF cardinality(o_log) > 0 THEN
    WITH gone AS (DELETE FROM blocks b USING unnest(o_log, o_first, o_gen) AS u(l, f, g) WHERE b.log_no = u.l AND b.first = u.f AND b.gen = u.g
        RETURNING b.log_no, b.first, b.n)
      SELECT array_agg(coalesce(g.n, 0) ORDER BY u.i) INTO r_covers FROM unnest(o_log, o_first) WITH ORDINALITY AS u(l, f, i)
        LEFT JOIN gone g ON g.log_no = u.l AND g.first = u.f;
    IF 0 = ANY (r_covers) THEN
      RAISE EXCEPTION 'a block to take out is not there' USING ERRCODE = 'DB005';
    END IF;
    DELETE FROM block_data d USING unnest(o_log, o_first) AS u(l, f) WHERE d.log_no = u.l AND d.first = u.f;
  END IF;
  -- Where a run of seqs begins or ends, what goes and what comes cancel out.
  IF 0 >= ANY (i_n) OR EXISTS (SELECT FROM (
      SELECT l, f AS at, 1 AS d FROM unnest(o_log, o_first) AS o(l, f)
      UNION ALL SELECT l, f + n, -1 FROM unnest(o_log, o_first, r_covers) AS o(l, f, n)
      UNION ALL SELECT f.l, h.packed, 1 FROM unnest(f_log) AS f(l) JOIN unnest(p_log, r_packed) AS h(l, packed) ON h.l = f.l
      UNION ALL SELECT l, p, -1 FROM unnest(f_log, f_packed) AS f(l, p)
      UNION ALL SELECT l, f, -1 FROM unnest(i_log, i_first) AS i(l, f)
      UNION ALL SELECT l, f + n, 1 FROM unnest(i_log, i_first, i_n) AS i(l, f, n)) AS bounds GROUP BY l, at HAVING sum(d) <> 0) THEN
    RAISE EXCEPTION 'the blocks in do not cover the seqs of those out' USING ERRCODE = 'DB005';
  END IF;
  IF EXISTS (SELECT FROM unnest(o_log, o_first, o_gen) AS o(l, f, g) JOIN unnest(i_log, i_first, i_gen) AS i(l, f, g) ON o.l = i.l AND o.f = i.f WHERE i.g <= o.g) THEN
    RAISE EXCEPTION 'a generation does not grow' USING ERRCODE = 'DB005';
  END IF;
  INSERT INTO blocks SELECT * FROM unnest(i_log, i_first, i_n, i_live, i_gen, i_state, i_raw, i_min_received, i_max_received,
    i_min_occurred, i_max_occurred, i_late_min, i_late_max, i_roots, i_facets, i_filter);
  INSERT INTO block_data SELECT * FROM unnest(i_log, i_first, i_data);
  INSERT INTO slips SELECT * FROM unnest(s_log, s_kind, s_a, s_b, s_data) ON CONFLICT (log_no, kind, a, b) DO UPDATE SET data = excluded.data;
  UPDATE heads h SET turn = h.turn + 1, packed = coalesce(f.packed, h.packed), last_received = coalesce(f.received, h.last_received),
    frontier = coalesce(f.frontier, h.frontier), id_ahead = coalesce(f.ahead, h.id_ahead)
    FROM unnest(p_log) AS u(l) LEFT JOIN unnest(f_log, f_packed, f_received, f_frontier, f_ahead) AS f(l, packed, received, frontier, ahead) ON f.l = u.l
    WHERE h.log_no = u.l;
  PERFORM set_config('daybook.replacing', '', true);
END $$;

-- drop_commits raises the shard's merged to p_through, or, when it is there already, drops at most p_rows commits up to it: never both in one
-- transaction, since an append waits for the first. It returns less than p_rows when nothing is left to drop, and -1 when p_through is beyond
-- the last commit.
CREATE FUNCTION drop_commits(p_shard smallint, p_through bigint, p_rows int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE s shards; dropped int;
BEGIN
  SELECT * INTO s FROM shards WHERE shard = p_shard;
  IF p_through > s.last THEN
    RETURN -1;
  END IF;
  IF p_through > s.merged THEN
    UPDATE shards SET merged = p_through WHERE shard = p_shard AND merged < p_through;
    RETURN p_rows;
  END IF;
  DELETE FROM commits WHERE shard = p_shard AND n <= (SELECT max(n) FROM (SELECT n FROM commits WHERE shard = p_shard AND n <= p_through ORDER BY n LIMIT p_rows) AS page);
  GET DIAGNOSTICS dropped = ROW_COUNT;
  RETURN dropped;
END $$;

-- put_note returns 0 when there is no such log, 1 when there is a checkpoint of that size, 2 when it was put.
CREATE FUNCTION put_note(p_log bigint, p_size bigint, p_at bigint, p_note bytea) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE shards s SET signed = greatest(s.signed, p_at) FROM heads h WHERE h.log_no = p_log AND s.shard = h.shard;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  INSERT INTO checkpoints (log_no, size, at, note) VALUES (p_log, p_size, p_at, p_note) ON CONFLICT DO NOTHING;
  RETURN CASE WHEN FOUND THEN 2 ELSE 1 END;
END $$;

-- new_epoch freezes a log and returns the head of its org's next one, which it makes unless it is there; no row when there is no such log.
CREATE FUNCTION new_epoch(p_log bigint, p_log_id bytea) RETURNS SETOF heads LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE old heads; next heads;
BEGIN
  PERFORM FROM shards s JOIN heads h ON h.shard = s.shard WHERE h.log_no = p_log FOR UPDATE OF s;
  SELECT * INTO old FROM heads WHERE log_no = p_log FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT * INTO next FROM heads WHERE org = old.org AND epoch = old.epoch + 1;
  IF NOT FOUND THEN
    IF old.epoch = 65535 THEN
      RAISE EXCEPTION 'daybook: epoch % is the last', old.epoch USING ERRCODE = 'DB009';
    END IF;
    UPDATE shards SET states = states + 1 WHERE shard = old.shard;
    UPDATE heads SET state = greatest(state, 1) WHERE log_no = p_log;
    INSERT INTO heads (org, epoch, shard, log_id) VALUES (old.org, old.epoch + 1, old.shard, p_log_id) RETURNING * INTO next;
    PERFORM move(old.shard, ARRAY[old.log_no, next.log_no]);
  END IF;
  RETURN NEXT next;
END $$;

-- close_logs closes every log of an org.
CREATE FUNCTION close_logs(p_org text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_shard smallint; closed bigint[];
BEGIN
  SELECT shard INTO v_shard FROM heads WHERE org = p_org LIMIT 1; -- all of them are of one
  PERFORM FROM shards WHERE shard = v_shard FOR UPDATE;
  WITH now AS (UPDATE heads SET state = 2 WHERE org = p_org AND state <> 2 RETURNING log_no) SELECT array_agg(log_no) INTO closed FROM now;
  IF closed IS NOT NULL THEN
    UPDATE shards SET states = states + 1 WHERE shard = v_shard;
    PERFORM move(v_shard, closed);
  END IF;
END $$;

-- drop_log removes at most p_rows rows of each kind of a closed log, and its head when nothing else is left: then, or when there is no such
-- log, it returns true.
CREATE FUNCTION drop_log(p_log bigint, p_rows int) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE h heads; firsts bigint[]; dropped int; more int;
BEGIN
  PERFORM FROM moves m JOIN heads t ON t.shard = m.shard WHERE t.log_no = p_log FOR UPDATE OF m;
  SELECT * INTO h FROM heads WHERE log_no = p_log FOR UPDATE;
  IF NOT FOUND THEN
    RETURN true;
  END IF;
  IF h.state <> 2 THEN
    RAISE EXCEPTION 'daybook: log not closed' USING ERRCODE = 'DB009';
  END IF;
  PERFORM set_config('daybook.replacing', '1', true);
  firsts := ARRAY(SELECT first FROM blocks WHERE log_no = p_log ORDER BY first LIMIT p_rows);
  DELETE FROM block_data WHERE log_no = p_log AND first = ANY (firsts);
  DELETE FROM blocks WHERE log_no = p_log AND first = ANY (firsts);
  dropped := cardinality(firsts);
  DELETE FROM slips WHERE log_no = p_log AND ctid = ANY (ARRAY(SELECT ctid FROM slips WHERE log_no = p_log LIMIT p_rows));
  GET DIAGNOSTICS more = ROW_COUNT; dropped := dropped + more;
  DELETE FROM checkpoints WHERE log_no = p_log AND ctid = ANY (ARRAY(SELECT ctid FROM checkpoints WHERE log_no = p_log LIMIT p_rows));
  GET DIAGNOSTICS more = ROW_COUNT; dropped := dropped + more;
  DELETE FROM idem WHERE log_no = p_log AND ctid = ANY (ARRAY(SELECT ctid FROM idem WHERE log_no = p_log LIMIT p_rows));
  GET DIAGNOSTICS more = ROW_COUNT; dropped := dropped + more;
  IF dropped = 0 THEN
    DELETE FROM heads WHERE log_no = p_log;
  END IF;
  PERFORM set_config('daybook.replacing', '', true);
  PERFORM move(h.shard, ARRAY[p_log]);
  RETURN dropped = 0;
END $$;

-- rewrite writes a table anew, without what was deleted from it. Nobody reads or writes it meanwhile.
CREATE FUNCTION rewrite(p_table text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '1s' AS $$
DECLARE t regclass := p_table; i regclass;
BEGIN
  SELECT x.indexrelid INTO i FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
    WHERE x.indrelid = t AND x.indisprimary AND c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r';
  EXECUTE format('CLUSTER %s USING %I', t, (SELECT relname FROM pg_class WHERE oid = i));
END $$;

-- make_shards makes the shards of a new store: all of them, once.
CREATE FUNCTION make_shards(p_shards int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  LOCK TABLE shards IN EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM shards) THEN
    RETURN;
  END IF;
  INSERT INTO shards (shard) SELECT generate_series(0, p_shards - 1);
  INSERT INTO moves (shard) SELECT shard FROM shards;
END $$;

-- let_serve gives a role what Daybook needs to run and nothing more. The owner calls it; calling it again does no harm.
CREATE FUNCTION let_serve(p_role text) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE here text := current_schema(); f regprocedure; t regclass;
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', here, p_role);
  FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = here::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition LOOP -- the wall stands before the whole
    EXECUTE format('GRANT SELECT ON %s TO %I', t, p_role);
  END LOOP;
  EXECUTE format('GRANT INSERT (org, shard, log_id) ON heads TO %I', p_role);
  EXECUTE format('GRANT DELETE ON idem TO %I', p_role);
  EXECUTE format('GRANT INSERT, UPDATE, DELETE ON leases, documents TO %I', p_role);
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = here::regnamespace AND p.prosecdef LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f, p_role);
  END LOOP;
END $$;

DO $$
DECLARE f regprocedure; t text;
BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
  -- The second wall: a role that does not own the tables sees one log, or one org, at a time, the one that its statement names. SELECT asks
  -- for the name once a statement, not once a row.
  FOREACH t IN ARRAY ARRAY['blocks', 'block_data', 'slips', 'checkpoints'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY one_log ON %I FOR SELECT USING (log_no = (SELECT current_setting(''daybook.log'')::bigint))', t);
  END LOOP;
END $$;
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_org ON documents USING ((SELECT current_setting('daybook.org')) = '=' || org);
ALTER TABLE heads ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_org ON heads USING ((SELECT current_setting('daybook.org')) IN ('=' || org, '*'));

-- Triggers are a seat belt for the owner, against accidents.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'daybook: %', TG_ARGV[0] USING ERRCODE = 'DB009'; END $$;
CREATE FUNCTION refuse_unmerged() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF OLD.n > (SELECT merged FROM shards WHERE shard = OLD.shard) THEN
    RAISE EXCEPTION 'daybook: commit not merged' USING ERRCODE = 'DB009';
  END IF;
  RETURN OLD;
END $$;

CREATE TRIGGER keep BEFORE UPDATE ON commits FOR EACH ROW EXECUTE FUNCTION refuse('a commit is never changed');
CREATE TRIGGER trim BEFORE DELETE ON commits FOR EACH ROW EXECUTE FUNCTION refuse_unmerged();
CREATE TRIGGER forward BEFORE UPDATE ON shards FOR EACH ROW
  WHEN (NEW.last < OLD.last OR NEW.merged < OLD.merged OR NEW.signed < OLD.signed OR NEW.states < OLD.states OR NEW.shard <> OLD.shard) EXECUTE FUNCTION refuse('a shard only moves forward');
CREATE TRIGGER keep BEFORE DELETE ON shards FOR EACH ROW EXECUTE FUNCTION refuse('a shard is never deleted');
CREATE TRIGGER forward BEFORE UPDATE ON heads FOR EACH ROW
  WHEN (NEW.packed < OLD.packed OR NEW.turn < OLD.turn OR NEW.log_id <> OLD.log_id OR NEW.org <> OLD.org OR NEW.log_no <> OLD.log_no OR NEW.epoch <> OLD.epoch OR NEW.state < OLD.state)
  EXECUTE FUNCTION refuse('a head only moves forward');
CREATE TRIGGER keep BEFORE DELETE ON heads FOR EACH ROW WHEN (OLD.state <> 2) EXECUTE FUNCTION refuse('log not closed');
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON blocks FOR EACH ROW
  WHEN (current_setting('daybook.replacing', true) IS DISTINCT FROM '1') EXECUTE FUNCTION refuse('blocks are only replaced');
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON block_data FOR EACH ROW
  WHEN (current_setting('daybook.replacing', true) IS DISTINCT FROM '1') EXECUTE FUNCTION refuse('blocks are only replaced');
CREATE TRIGGER keep BEFORE UPDATE ON checkpoints FOR EACH ROW EXECUTE FUNCTION refuse('a checkpoint is never changed');
CREATE TRIGGER stay BEFORE DELETE ON checkpoints FOR EACH ROW
  WHEN (current_setting('daybook.replacing', true) IS DISTINCT FROM '1') EXECUTE FUNCTION refuse('checkpoints are kept');
CREATE TRIGGER forward BEFORE UPDATE ON moves FOR EACH ROW WHEN (NEW.last <= OLD.last OR NEW.shard <> OLD.shard) EXECUTE FUNCTION refuse('a move only adds');
CREATE TRIGGER keep BEFORE DELETE ON moves FOR EACH ROW EXECUTE FUNCTION refuse('a shard is never deleted');
DO $$
DECLARE t text;
BEGIN
  FOR t IN SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
    AND relname ~ '^(shards|moves|heads|commits|blocks|block_data.*|checkpoints)$' LOOP
    EXECUTE format('CREATE TRIGGER whole BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse(''this is never truncated'')', t);
  END LOOP;
END $$;
