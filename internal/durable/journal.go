package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Journal is a queue of records in a folder: appended by many goroutines, taken by one. Append returns when the record is durable, and
// those that wait for the same sync share it. Records lie in segments; a segment is read whole when nobody appends to it any more, and
// removed when its taker is done with it. So what was taken and not removed comes again after a crash.
//
// One process at a time has a folder; its lock is given back when the process ends, however it ends.
type Journal struct {
	folder string
	lock   *os.File
	calls  calls

	mu     sync.Mutex
	active *segment         // appended to; nil: the next Append makes one
	sealed []string         // names of the others, oldest first
	sizes  map[string]int64 // of sealed ones
	next   int64            // number of the next segment
}

// segment is a file of records.
type segment struct {
	name  string
	file  *os.File
	size  int64 // guarded by Journal.mu
	calls calls

	syncing sync.Mutex
	synced  int64 // guarded by syncing
	err     error // of the first sync that failed: guarded by syncing
}

const (
	segmentSuffix = ".journal"
	frameHead     = 8 // length and CRC-32C of what follows, big-endian
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrLocked says that another process has the folder.
var ErrLocked = errors.New("in use by another process")

// OpenJournal opens the journal in folder, making it where it is missing. What an earlier process left is taken first.
func OpenJournal(folder string) (*Journal, error) {
	if err := MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(folder, "lock"))
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", folder, err)
	}
	j := &Journal{folder: folder, lock: lock, calls: system, sizes: map[string]int64{}, next: 1}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", errors.Join(err, lock.Close()))
	}
	for _, e := range entries {
		number, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		n, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("journal: %w", errors.Join(err, lock.Close()))
		}
		j.sealed = append(j.sealed, e.Name())
		j.sizes[e.Name()] = info.Size()
		j.next = max(j.next, n+1)
	}
	slices.Sort(j.sealed) // their numbers have one length
	return j, nil
}

// Append adds a record, which is durable when it returns nil. After an error it is not known whether the record is there.
func (j *Journal) Append(record []byte) error {
	frame := make([]byte, frameHead, frameHead+len(record))
	binary.BigEndian.PutUint32(frame, uint32(len(record)))
	binary.BigEndian.PutUint32(frame[4:], crc32.Checksum(record, castagnoli))
	frame = append(frame, record...)
	j.mu.Lock()
	s, err := j.segment()
	if err != nil {
		j.mu.Unlock()
		return err
	}
	n, err := s.file.Write(frame)
	s.size += int64(n)
	upTo := s.size
	if err != nil {
		j.seal() // what follows a torn record in a segment would not be read
	}
	j.mu.Unlock()
	if err != nil {
		return fmt.Errorf("append to %s: %w", s.name, err)
	}
	if err := s.sync(upTo); err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.active == s { // an fsync that failed is not to be repeated: the next record goes into another file
			j.seal()
		}
		return err
	}
	return nil
}

// segment returns the one to append to. The caller holds mu.
func (j *Journal) segment() (*segment, error) {
	if j.active != nil {
		return j.active, nil
	}
	name := fmt.Sprintf("%016d%s", j.next, segmentSuffix)
	file, err := os.OpenFile(filepath.Join(j.folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j.next++
	// The file must be found after a power loss before anything in it counts as durable.
	folder, err := os.Open(j.folder)
	if err == nil {
		err = errors.Join(syncFolder(folder, j.calls.sync), folder.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", errors.Join(err, file.Close()))
	}
	j.active = &segment{name: name, file: file, calls: j.calls}
	return j.active, nil
}

// sync makes the first upTo bytes durable, unless somebody has done so meanwhile. After a failed sync nothing of what waited for it counts.
func (s *segment) sync(upTo int64) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	if s.synced >= upTo {
		return nil
	}
	if s.err != nil {
		return s.err
	}
	info, err := s.file.Stat()
	if err == nil {
		err = s.calls.sync(s.file)
	}
	if err != nil {
		s.err = fmt.Errorf("sync %s: %w", s.name, err)
		return s.err
	}
	s.synced = info.Size()
	return nil
}

// seal ends the active segment. The caller holds mu.
func (j *Journal) seal() {
	s := j.active
	if s == nil {
		return
	}
	j.active = nil
	j.sealed = append(j.sealed, s.name)
	j.sizes[s.name] = s.size
	// Those who wait for its sync still have the file; whoever syncs it closes it after them.
	go func() {
		_ = s.sync(s.size)
		_ = s.file.Close()
	}()
}

// Take returns the oldest segment and its records in their order, "" when there is none. torn is the number of bytes at its end that are no
// whole record: a crash tore what was never acknowledged, unless there are records behind it.
func (j *Journal) Take() (name string, records [][]byte, torn int, err error) {
	j.mu.Lock()
	if len(j.sealed) == 0 {
		s := j.active
		if s == nil {
			j.mu.Unlock()
			return "", nil, 0, nil
		}
		j.seal()
	}
	name = j.sealed[0]
	j.mu.Unlock()
	text, err := os.ReadFile(filepath.Join(j.folder, name))
	if err != nil {
		return "", nil, 0, fmt.Errorf("journal: %w", err)
	}
	records, torn = frames(text)
	return name, records, torn, nil
}

// frames returns the whole records of a segment, and the bytes behind them.
func frames(text []byte) (records [][]byte, torn int) {
	for len(text) >= frameHead {
		n := int(binary.BigEndian.Uint32(text))
		if n == 0 || n > len(text)-frameHead || // zeros are what some file systems leave
			crc32.Checksum(text[frameHead:frameHead+n], castagnoli) != binary.BigEndian.Uint32(text[4:]) {
			break
		}
		records = append(records, text[frameHead:frameHead+n])
		text = text[frameHead+n:]
	}
	return records, len(text)
}

// Remove drops a segment that was taken. A power loss may bring it back.
func (j *Journal) Remove(name string) error {
	if err := os.Remove(filepath.Join(j.folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sealed = slices.DeleteFunc(j.sealed, func(s string) bool { return s == name })
	delete(j.sizes, name)
	return nil
}

// SetAside keeps a segment that was taken under another name, where it is never taken again.
func (j *Journal) SetAside(name string) error {
	if err := os.Rename(filepath.Join(j.folder, name), filepath.Join(j.folder, name+".aside")); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return j.Remove(name)
}

// Size returns the bytes that wait.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	sum := int64(0)
	for _, n := range j.sizes {
		sum += n
	}
	if j.active != nil {
		sum += j.active.size
	}
	return sum
}

// Count returns how many records wait. No Append may be under way.
func (j *Journal) Count() (n int, err error) {
	j.mu.Lock()
	j.seal()
	names := slices.Clone(j.sealed)
	j.mu.Unlock()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(j.folder, name))
		if err != nil {
			return n, fmt.Errorf("journal: %w", err)
		}
		records, _ := frames(text)
		n += len(records)
	}
	return n, nil
}

// Close gives the folder back; what waits stays. No Append may be under way.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	if s := j.active; s != nil {
		j.active = nil
		err = errors.Join(s.sync(s.size), s.file.Close())
	}
	return errors.Join(err, unlockFile(j.lock))
}
