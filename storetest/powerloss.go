package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Recording is what a process did to its files, system call by system call, and what it said meanwhile. From it the files can be made
// again as a loss of power would have left them.
//
// A file's writes are durable when an fsync of that file began after they ended; a name, when its folder was synced so. Until then any
// of them may be missing, and a write may be there in some of its sectors. Index files (-shm) do not outlive a process and are left out.
type Recording struct {
	dir   string
	ops   []operation // by start
	files int         // numbers given to files: 0 … files−1
	end   int         // one more than the last line
}

type operation struct {
	kind       kind
	file       int    // for all but names and said
	name, from string // for names; from: the old name
	offset     int64  // of a write; the new size of a truncate
	data       []byte // of a write; of what was said
	start, end int    // lines of the trace; end is far away for a call that never returned
}

type kind int

const (
	written kind = iota
	truncated
	named   // a name came to be: made, linked or renamed
	unnamed // a name went
	synced
	syncedDir
	said
)

// sector is the smallest unit that a disk writes whole.
const sector = 512

// Record runs cmd under strace and returns what it did to the files in dir. What cmd writes to its standard output is taken to be what
// it acknowledges. A cmd that fails is an error.
func Record(dir string, cmd *exec.Cmd) (r *Recording, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	before, err := readFiles(dir)
	if err != nil {
		return nil, err
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil, fmt.Errorf("install strace: %w", err)
	}
	trace, err := os.CreateTemp("", "trace")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, trace.Close(), os.Remove(trace.Name())) }()
	calls := "open,openat,creat,write,pwrite64,ftruncate,truncate,unlink,unlinkat,rename,renameat,renameat2,link,linkat,fsync,fdatasync"
	args := append([]string{strace, "-f", "-y", "-xx", "-s", "20000000", "-e", "trace=" + calls, "-e", "signal=none", "-o", trace.Name(), cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.Args = strace, args
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", cmd.Args, err, out.Bytes())
	}
	return readTrace(trace, dir, before)
}

// readFiles returns the files in dir by name.
func readFiles(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[filepath.FromSlash(path)], err = fs.ReadFile(root, path)
		}
		return err
	})
	return files, err
}

// Said returns the lines that were acknowledged.
func (r *Recording) Said() []string { return r.saidBefore(math.MaxInt) }

func (r *Recording) saidBefore(cut int) []string {
	var b strings.Builder
	for _, o := range r.ops {
		if o.kind == said && o.start < cut {
			b.Write(o.data)
		}
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// Syncs returns for each write to the standard output how many syncs of files had ended before it began.
func (r *Recording) Syncs() []int {
	var counts []int
	for _, o := range r.ops {
		if o.kind == said {
			n := 0
			for _, s := range r.ops {
				if s.kind == synced && s.end < o.start {
					n++
				}
			}
			counts = append(counts, n)
		}
	}
	return counts
}

// Crash is what a loss of power at one moment may have left.
type Crash struct {
	Name  string            // says which it is
	Said  []string          // the lines that were acknowledged by then
	Files map[string][]byte // by name, relative to the folder
}

// Crash returns one of the states that a loss of power could have left, at a random moment: with nothing of what was not durable, with
// all of it, or with some.
func (r *Recording) Crash(random *rand.Rand) Crash {
	cut := random.IntN(r.end + 1)
	name, keep := "nothing pending", 0.0
	switch random.IntN(6) {
	case 0:
	case 1:
		name, keep = "all pending", 1
	default:
		keep = 0.05 + 0.9*random.Float64()
		name = fmt.Sprintf("%.0f %% of what was pending", 100*keep)
	}
	c := Crash{Name: fmt.Sprintf("line %d of %d, %s", cut, r.end, name), Said: r.saidBefore(cut), Files: map[string][]byte{}}
	contents := make([][]byte, r.files)
	names := map[string]int{}
	lastSync, lastDirSync := r.syncs(cut)
	for i := range r.ops {
		o := &r.ops[i]
		if o.start >= cut {
			break
		}
		switch o.kind {
		case written, truncated:
			switch {
			case o.end < 0 || o.end < lastSync[o.file] || keep == 1 && o.end < cut:
				contents[o.file] = o.apply(contents[o.file], func() bool { return true })
			case random.Float64() < keep:
				whole := random.IntN(3) > 0
				contents[o.file] = o.apply(contents[o.file], func() bool { return whole || random.IntN(2) == 0 })
			}
		case named, unnamed:
			if o.end < 0 || o.end < lastDirSync[filepath.Dir(o.name)] || random.Float64() < keep {
				delete(names, o.from)
				if o.kind == named {
					names[o.name] = o.file
				} else {
					delete(names, o.name)
				}
			}
		default: // synced, syncedDir and said change nothing
		}
	}
	for name, file := range names {
		c.Files[name] = contents[file]
	}
	return c
}

// WithoutSyncs returns the recording as of a disk that says that it has synced and has not: what a test that looks for losses must find.
func (r *Recording) WithoutSyncs() *Recording {
	lying := *r
	lying.ops = slices.DeleteFunc(slices.Clone(r.ops), func(o operation) bool { return o.kind == synced })
	return &lying
}

// syncs returns for each file and folder the start of the last sync of it that ended before cut: what ended before that is durable.
func (r *Recording) syncs(cut int) (files []int, dirs map[string]int) {
	files, dirs = make([]int, r.files), map[string]int{}
	for _, o := range r.ops {
		switch {
		case o.end >= cut:
		case o.kind == synced:
			files[o.file] = max(files[o.file], o.start)
		case o.kind == syncedDir:
			dirs[o.name] = max(dirs[o.name], o.start)
		}
	}
	return files, dirs
}

// apply returns content after a write or truncate. take says of each sector in turn whether it reached the disk.
func (o *operation) apply(content []byte, take func() bool) []byte {
	if o.kind == truncated {
		if int64(len(content)) >= o.offset {
			return content[:o.offset:o.offset]
		}
		return append(content, make([]byte, o.offset-int64(len(content)))...)
	}
	for at := 0; at < len(o.data); {
		offset := o.offset + int64(at)
		n := min(len(o.data)-at, int(sector-offset%sector))
		if take() {
			if grow := offset + int64(n) - int64(len(content)); grow > 0 {
				content = append(content, make([]byte, grow)...)
			}
			copy(content[offset:], o.data[at:at+n])
		}
		at += n
	}
	return content
}

// Restore writes the files of c into dir.
func (c Crash) Restore(dir string) error {
	for name, content := range c.Files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil { //nolint:forbidigo // a test's file need not survive anything
			return err
		}
	}
	return nil
}

// sortOps puts operations in the order in which they began.
func (r *Recording) sortOps() {
	slices.SortStableFunc(r.ops, func(a, b operation) int { return a.start - b.start })
}
