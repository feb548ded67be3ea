package appsql

// Schema returns the DDL of a dialect: statements that each end in ";\n", and that do nothing where a table is there already.
func Schema(dialect string) (string, error) {
	if _, err := For(dialect); err != nil {
		return "", err
	}
	return schemas[dialect], nil
}

// The outbox has no unique index on event_id: a writer would wait there for another's transaction. The Recorder finds repeats.
var schemas = map[string]string{
	SQLite: `CREATE TABLE IF NOT EXISTS daybook_outbox (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL,
  org TEXT NOT NULL,
  event TEXT NOT NULL,
  written_at INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  fault TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS daybook_outbox_waiting ON daybook_outbox (dead, n);
CREATE TABLE IF NOT EXISTS daybook_relay (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  holder TEXT NOT NULL,
  until_at INTEGER NOT NULL
);
INSERT INTO daybook_relay (one, holder, until_at) VALUES (1, '', 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS daybook_versions (
  org TEXT NOT NULL,
  target_type TEXT NOT NULL,
  target_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  at_micros INTEGER NOT NULL,
  actor TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  schema_no INTEGER NOT NULL,
  restored_from INTEGER NOT NULL,
  doc TEXT NOT NULL,
  PRIMARY KEY (org, target_type, target_id, number)
);
`,
	Postgres: `CREATE TABLE IF NOT EXISTS daybook_outbox (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id text NOT NULL,
  org text NOT NULL,
  event text NOT NULL,
  written_at bigint NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  next_at bigint NOT NULL DEFAULT 0,
  dead smallint NOT NULL DEFAULT 0,
  fault text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS daybook_outbox_waiting ON daybook_outbox (dead, n);
CREATE TABLE IF NOT EXISTS daybook_relay (
  one integer PRIMARY KEY CHECK (one = 1),
  holder text NOT NULL,
  until_at bigint NOT NULL
);
INSERT INTO daybook_relay (one, holder, until_at) VALUES (1, '', 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS daybook_versions (
  org text COLLATE "C" NOT NULL,
  target_type text COLLATE "C" NOT NULL,
  target_id text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  at_micros bigint NOT NULL,
  actor text NOT NULL,
  deleted smallint NOT NULL,
  schema_no integer NOT NULL,
  restored_from bigint NOT NULL,
  doc text NOT NULL,
  PRIMARY KEY (org, target_type, target_id, number)
);
`,
	// Ids are VARBINARY: every text collation of MySQL takes some different ids for equal, be it in case or in spaces at the end.
	MySQL: `CREATE TABLE IF NOT EXISTS daybook_outbox (
  n BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  event_id VARBINARY(64) NOT NULL,
  org VARBINARY(128) NOT NULL,
  event LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  written_at BIGINT NOT NULL,
  tries INT NOT NULL DEFAULT 0,
  next_at BIGINT NOT NULL DEFAULT 0,
  dead SMALLINT NOT NULL DEFAULT 0,
  fault VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  KEY daybook_outbox_waiting (dead, n)
) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS daybook_relay (
  one INT NOT NULL PRIMARY KEY,
  holder VARBINARY(64) NOT NULL,
  until_at BIGINT NOT NULL
) ENGINE=InnoDB;
INSERT IGNORE INTO daybook_relay (one, holder, until_at) VALUES (1, '', 0);
CREATE TABLE IF NOT EXISTS daybook_versions (
  org VARBINARY(128) NOT NULL,
  target_type VARBINARY(512) NOT NULL,
  target_id VARBINARY(512) NOT NULL,
  number BIGINT NOT NULL,
  event_id VARBINARY(64) NOT NULL,
  at_micros BIGINT NOT NULL,
  actor LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  deleted SMALLINT NOT NULL,
  schema_no INT NOT NULL,
  restored_from BIGINT NOT NULL,
  doc LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (org, target_type, target_id, number)
) ENGINE=InnoDB;
`,
}
