-- +goose Up
-- Every signed note, for ever. What a note says: docs/reference/integrity.md, section 6.
CREATE TABLE checkpoints (
  log_no INTEGER NOT NULL,
  size   INTEGER NOT NULL,
  at     INTEGER NOT NULL, -- when it was signed, µs since 1970
  note   BLOB    NOT NULL,
  PRIMARY KEY (log_no, size)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER checkpoints_keep BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'daybook: a checkpoint is never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoints_stay BEFORE DELETE ON checkpoints WHEN (SELECT replacing FROM guard) = 0
BEGIN SELECT RAISE(ABORT, 'daybook: checkpoints are kept'); END;
-- +goose StatementEnd
