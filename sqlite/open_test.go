package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
)

// execSQL runs statements on the file at path, as somebody else would.
func execSQL(t *testing.T, path string, statements ...string) error {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			return err
		}
	}
	return nil
}

// made returns the path of a closed store that holds one log with a block, one commit and one document.
func made(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "daybook.db")
	s := open(t, path)
	hs, err := s.Heads(t.Context(), []daybook.OrgID{"org"}, true)
	if err != nil {
		t.Fatal(err)
	}
	f := hs[0]
	f.Packed = 10
	b := daybook.Block{BlockMeta: daybook.BlockMeta{BlockRef: daybook.BlockRef{Gen: 1}, N: 10}, Bytes: []byte("block")}
	_, err = s.Put(t.Context(), daybook.Document{Kind: "k", ID: "id"})
	err = errors.Join(err,
		s.Replace(t.Context(), []daybook.Swap{{Log: f.Log, In: []daybook.Block{b}, Fold: &f}}),
		s.Append(t.Context(), commit(0, 1000)), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	t.Parallel()
	t.Run("all files are their owner's alone", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "daybook.db")
		s := open(t, path)
		if err := s.Append(t.Context(), commit(0, 100)); err != nil {
			t.Fatal(err)
		}
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			info, err := os.Stat(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o600 {
				t.Errorf("%s has mode %v", info.Name(), info.Mode())
			}
		}
	})
	t.Run("a store that is open is refused, and the holder named", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "daybook.db")
		s := open(t, path)
		_, err := sqlite.Open(path, sqlite.Options{})
		if err == nil || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
			t.Errorf("error is %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		open(t, path)
	})
	t.Run("a newer store is ErrNewer and left as it was", func(t *testing.T) {
		t.Parallel()
		path := made(t)
		if err := execSQL(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.Open(path, sqlite.Options{}); !errors.Is(err, daybook.ErrNewer) {
			t.Errorf("Open: %v", err)
		}
		if _, err := sqlite.OpenReadOnly(path, sqlite.Options{}); !errors.Is(err, daybook.ErrNewer) {
			t.Errorf("OpenReadOnly: %v", err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the file changed (%v)", err)
		}
	})
	t.Run("a store with other tables is refused and left as it was", func(t *testing.T) {
		t.Parallel()
		for _, statement := range []string{
			"ALTER TABLE heads DROP COLUMN id_ahead", // as before that column came
			"DROP TRIGGER commits_keep",
			"CREATE TRIGGER other BEFORE INSERT ON commits BEGIN SELECT RAISE(IGNORE); END",
		} {
			path := made(t)
			if err := execSQL(t, path, statement); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = sqlite.Open(path, sqlite.Options{})
			_, err2 := sqlite.OpenReadOnly(path, sqlite.Options{})
			for _, err := range []error{err, err2} {
				if err == nil || !strings.Contains(err.Error(), "a development version of Daybook made this store") {
					t.Errorf("%s: %v", statement, err)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("%s: the file changed (%v)", statement, err)
			}
		}
	})
	t.Run("what is no store is refused and left as it was", func(t *testing.T) {
		t.Parallel()
		other := filepath.Join(t.TempDir(), "other.db")
		if err := execSQL(t, other, "CREATE TABLE t (x)"); err != nil {
			t.Fatal(err)
		}
		text := filepath.Join(t.TempDir(), "text")
		if err := os.WriteFile(text, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{other, text} {
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sqlite.Open(path, sqlite.Options{}); err == nil {
				t.Errorf("Open(%s): no error", filepath.Base(path))
			}
			if _, err := sqlite.OpenReadOnly(path, sqlite.Options{}); err == nil {
				t.Errorf("OpenReadOnly(%s): no error", filepath.Base(path))
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// Bytes 18 and 19 of a database name its journal, 24 to 27 and 92 to 99 count changes: opened in WAL mode they move.
			for _, b := range [][]byte{before, after} {
				clear(b[18:20])
				clear(b[24:28])
				clear(b[92:100])
			}
			if !bytes.Equal(before, after) {
				t.Errorf("%s changed", filepath.Base(path))
			}
		}
	})
	t.Run("settings that cannot be had are refused", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "daybook.db")
		if err := execSQL(t, path, "PRAGMA page_size = 8192", "PRAGMA user_version = 1"); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.Open(path, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "page_size is 8192") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("a name is a file name, whatever is in it", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		for _, name := range []string{"a b?c#d%20e&f=g.db", "üñ.db"} {
			s := open(t, filepath.Join(dir, name))
			if err := s.Append(t.Context(), commit(0, 100)); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
		for _, name := range []string{"", ":memory:", "file:x"} {
			if _, err := sqlite.Open(name, sqlite.Options{}); err == nil {
				t.Errorf("%q: no error", name)
			}
		}
		if _, err := sqlite.Open(filepath.Join(dir, "none", "daybook.db"), sqlite.Options{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a folder that is not there: %v", err)
		}
		if _, err := sqlite.OpenReadOnly(filepath.Join(dir, "none.db"), sqlite.Options{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file that is not there: %v", err)
		}
	})
}

func TestOpenReadOnly_beside_the_process_that_writes(t *testing.T) {
	t.Parallel()
	path := made(t)
	w := open(t, path)
	r, err := sqlite.OpenReadOnly(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for n := daybook.CommitNo(1); n < 5; n++ {
		if err := w.Append(t.Context(), commit(n, 100)); err != nil {
			t.Fatal(err)
		}
		tail, err := r.Tail(t.Context(), 0, 0, 1<<20)
		if err != nil || tail.Last != n+1 || len(tail.Rows) != int(n)+1 {
			t.Fatalf("last %d with %d rows, %v", tail.Last, len(tail.Rows), err)
		}
	}
	_, err = r.Put(t.Context(), daybook.Document{Kind: "k", ID: "new"})
	_, err2 := r.Heads(t.Context(), []daybook.OrgID{"new"}, true)
	_, err3 := r.Backup(t.Context(), path+".copy")
	for i, err := range []error{err, err2, err3, r.Append(t.Context(), commit(5, 100)), r.Replace(t.Context(), nil), r.Trim(t.Context(), 0, 1, 0)} {
		if err == nil {
			t.Errorf("write %d: no error", i)
		}
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(t.Context(), commit(5, 100)); err != nil { // the reader took no lock of ours away
		t.Fatal(err)
	}
	if _, err := sqlite.Open(path, sqlite.Options{}); err == nil {
		t.Error("the lock is gone")
	}
}

// Reading a backup leaves it alone in its folder, though the folder be read-only.
func TestOpenReadOnly_of_a_backup(t *testing.T) {
	t.Parallel()
	s := open(t, made(t))
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.db")
	if _, err := s.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	read := func() (*sqlite.Store, error) {
		r, err := sqlite.OpenReadOnly(path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		tail, err := r.Tail(t.Context(), 0, 0, 1<<20)
		if err == nil && (tail.Last != 1 || len(tail.Rows) != 1) {
			err = fmt.Errorf("last %d with %d rows", tail.Last, len(tail.Rows))
		}
		return r, err
	}
	r, err := read()
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}

	// A process opens it for writing: while it is read, Close says that what was read does not count; afterwards it is read beside it.
	if r, err = read(); err != nil {
		t.Fatal(err)
	}
	w := open(t, path)
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "meanwhile") {
		t.Errorf("Close: %v", err)
	}
	if r, err = read(); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(t.Context(), commit(1, 100)); err != nil {
		t.Fatal(err)
	}
	tail, err := r.Tail(t.Context(), 0, 0, 1<<20)
	if err := errors.Join(err, r.Close()); err != nil || tail.Last != 2 {
		t.Errorf("last %d, %v", tail.Last, err)
	}
}

// A copy of the files of a running store is read with its write-ahead log.
func TestOpenReadOnly_with_a_log(t *testing.T) {
	t.Parallel()
	from, path := made(t), filepath.Join(t.TempDir(), "copy.db")
	s := open(t, from)
	if err := s.Append(t.Context(), commit(1, 100)); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if err == nil {
			err = os.WriteFile(path+suffix, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := sqlite.OpenReadOnly(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tail, err := r.Tail(t.Context(), 0, 0, 1<<20)
	if err := errors.Join(err, r.Close()); err != nil || tail.Last != 2 {
		t.Errorf("last %d, %v", tail.Last, err)
	}
}

// The triggers are a seat belt: statements that nobody here writes are refused.
func TestTriggers(t *testing.T) {
	t.Parallel()
	path := made(t)
	for _, statement := range []string{
		"UPDATE commits SET data = x'00'",
		"DELETE FROM commits",
		"UPDATE shards SET last = 0",
		"UPDATE shards SET merged = 5",
		"UPDATE shards SET merged = -1",
		"UPDATE shards SET signed = -1",
		"UPDATE shards SET shard = 1",
		"DELETE FROM shards",
		"UPDATE heads SET packed = 9",
		"UPDATE heads SET org = 'other'",
		"UPDATE heads SET log_id = x'00'",
		"UPDATE heads SET log_no = 9",
		"UPDATE heads SET epoch = 1",
		"DELETE FROM heads",
		"INSERT INTO heads (log_no, org, log_id) VALUES (8388608, 'x', x'01')",
		"DELETE FROM blocks",
		"UPDATE blocks SET n = 1",
		"DELETE FROM block_data",
		"UPDATE block_data SET data = x'00'",
		"INSERT OR REPLACE INTO commits SELECT n, at, entries, raw, x'00' FROM commits",
		"REPLACE INTO commits SELECT n, at, 0, raw, data FROM commits",
		"INSERT INTO commits SELECT * FROM commits WHERE true ON CONFLICT (n) DO UPDATE SET data = x'00'",
		"INSERT OR REPLACE INTO block_data SELECT k, x'00' FROM block_data",
		"INSERT OR REPLACE INTO blocks SELECT * FROM blocks",
		"INSERT OR REPLACE INTO shards SELECT shard, 0, 0, 0 FROM shards",
		"INSERT OR REPLACE INTO heads (log_no, org, epoch, log_id) SELECT log_no, 'other', epoch, log_id FROM heads",
		"INSERT OR REPLACE INTO heads (org, epoch, log_id) SELECT org, epoch, x'01' FROM heads",
	} {
		if err := execSQL(t, path, statement); err == nil {
			t.Errorf("%s: no error", statement)
		}
	}
	s := open(t, path)
	tail, err := s.Tail(t.Context(), 0, 0, 1<<20)
	if err != nil || len(tail.Rows) != 1 {
		t.Errorf("%d rows, %v", len(tail.Rows), err)
	}
}

// A signed note stays as it is: it is neither changed nor deleted, and what would replace it is not written.
func TestTriggers_checkpoints(t *testing.T) {
	t.Parallel()
	path := made(t)
	if err := execSQL(t, path, "INSERT INTO checkpoints VALUES (1, 7, 1, x'01')"); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"UPDATE checkpoints SET note = x'02'", "DELETE FROM checkpoints"} {
		if err := execSQL(t, path, statement); err == nil {
			t.Errorf("%s: no error", statement)
		}
	}
	if err := execSQL(t, path, "INSERT OR REPLACE INTO checkpoints VALUES (1, 7, 2, x'02')"); err != nil {
		t.Fatal(err)
	}
	// A row with the first note is there: it cannot be added a second time as another.
	if err := execSQL(t, path, "CREATE TEMP TABLE one (n CHECK (n = 1))", "INSERT INTO one SELECT count(*) FROM checkpoints WHERE log_no = 1 AND size = 7 AND at = 1 AND note = x'01'"); err != nil {
		t.Errorf("the note was replaced: %v", err)
	}
}

// The checkpointer keeps the write-ahead log from growing for ever, and what it says goes to the logger.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name              string
		restart, truncate int64
	}{{"beginning anew", 2 << 20, 1 << 40}, {"giving space back", 4 << 20, 4 << 20}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "daybook.db")
			var said bytes.Buffer
			o := sqlite.Tuned("FULL", 1<<20, c.restart, c.truncate)
			o.Logger = slog.New(slog.NewTextHandler(&said, nil))
			s, err := sqlite.Open(path, o)
			if err != nil {
				t.Fatal(err)
			}
			var most, last int64
			shrunk := false
			for n := range daybook.CommitNo(400) {
				if err := s.Append(t.Context(), commit(n, 100_000)); err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(path + "-wal")
				if err != nil {
					t.Fatal(err)
				}
				most, shrunk, last = max(most, info.Size()), shrunk || info.Size() < last, info.Size()
			}
			if most > 16<<20 || shrunk != (c.truncate < 1<<40) { // of 40 MB written
				t.Errorf("the write-ahead log grew to %d bytes; it shrank: %v", most, shrunk)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if said.Len() > 0 {
				t.Error(said.String())
			}
			if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Close left the write-ahead log: %v", err)
			}
		})
	}
}

// integrity runs PRAGMA integrity_check.
func integrity(t *testing.T, path string) error {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var said string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&said); err != nil {
		return err
	}
	if !strings.EqualFold(said, "ok") {
		return fmt.Errorf("integrity_check: %s", said)
	}
	return nil
}
