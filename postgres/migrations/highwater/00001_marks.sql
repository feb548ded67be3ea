-- The largest head of each origin that was ever signed, and what was removed for good. It belongs in another database than the log, on
-- another disk: whoever restores the log must not restore this with it.
CREATE TABLE marks (
  origin text   COLLATE "C" PRIMARY KEY,
  size   bigint NOT NULL,
  root   bytea  NOT NULL CHECK (octet_length(root) = 32),
  at     bigint NOT NULL -- µs since 1970
) WITH (fillfactor = 50);

CREATE TABLE removals (
  origin text   COLLATE "C" NOT NULL,
  seq    bigint NOT NULL, -- of the control entry; -1: the log was dropped
  text   text   NOT NULL,
  at     bigint NOT NULL, -- µs since 1970
  PRIMARY KEY (origin, seq)
);

-- let_serve gives a role what Daybook needs to run and nothing more. Its owner calls it; calling it again does no harm.
CREATE FUNCTION let_serve(p_role text) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE here text := current_schema();
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', here, p_role);
  EXECUTE format('GRANT SELECT ON versions TO %I', p_role);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE ON marks TO %I', p_role);
  EXECUTE format('GRANT SELECT, INSERT, DELETE ON removals TO %I', p_role);
  EXECUTE format('GRANT EXECUTE ON FUNCTION served() TO %I', p_role);
END $$;
REVOKE EXECUTE ON FUNCTION let_serve(text) FROM PUBLIC;

-- served does nothing: who may call it is who serves.
CREATE FUNCTION served() RETURNS void LANGUAGE sql AS '';
REVOKE EXECUTE ON FUNCTION served() FROM PUBLIC;
