-- +goose Up
-- What stands in the log is not written over: REPLACE deletes without asking the triggers of DELETE.
-- +goose StatementBegin
CREATE TRIGGER commits_once BEFORE INSERT ON commits WHEN EXISTS (SELECT 1 FROM commits WHERE n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'daybook: a commit is never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER blocks_once BEFORE INSERT ON blocks WHEN (SELECT replacing FROM guard) = 0 AND EXISTS (SELECT 1 FROM blocks WHERE k = NEW.k)
BEGIN SELECT RAISE(ABORT, 'daybook: blocks are only replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER block_data_once BEFORE INSERT ON block_data WHEN (SELECT replacing FROM guard) = 0 AND EXISTS (SELECT 1 FROM block_data WHERE k = NEW.k)
BEGIN SELECT RAISE(ABORT, 'daybook: blocks are only replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoints_once BEFORE INSERT ON checkpoints WHEN EXISTS (SELECT 1 FROM checkpoints WHERE log_no = NEW.log_no AND size = NEW.size)
BEGIN SELECT RAISE(IGNORE); END; -- the first one stays, and the driver sees that nothing was written
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER shards_once BEFORE INSERT ON shards WHEN EXISTS (SELECT 1 FROM shards WHERE shard = NEW.shard)
BEGIN SELECT RAISE(ABORT, 'daybook: a shard only moves forward'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER heads_once BEFORE INSERT ON heads
WHEN EXISTS (SELECT 1 FROM heads WHERE log_no = NEW.log_no OR (org = NEW.org AND epoch = NEW.epoch) OR log_id = NEW.log_id)
BEGIN SELECT RAISE(ABORT, 'daybook: a head only moves forward'); END;
-- +goose StatementEnd
