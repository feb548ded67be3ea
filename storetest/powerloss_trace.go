package storetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// call is one system call of a trace.
type call struct {
	name       string
	args       string
	result     int64
	resultPath string
	start, end int
}

var (
	resultPattern = regexp.MustCompile(`^(-?\d+|\?)(?:<([^>]*)>)?`)
	firstPath     = regexp.MustCompile(`^(\d+)<([^>]*)>`)
)

// readTrace reads what strace -f -y -xx wrote.
func readTrace(trace io.Reader, dir string, before map[string][]byte) (*Recording, error) {
	calls, lines, err := readCalls(trace)
	if err != nil {
		return nil, err
	}
	t := tracer{r: &Recording{dir: dir, end: lines}, live: map[string]int{}, offsets: map[int64]int64{}}
	for name, content := range before {
		t.live[name] = t.r.files
		for _, o := range []operation{{kind: named, name: name}, {kind: written, data: content}} {
			o.file = t.r.files
			t.add(call{start: -1, end: -1}, o)
		}
		t.r.files++
	}
	for _, c := range calls {
		if c.result >= 0 {
			t.call(c)
		}
	}
	t.r.sortOps()
	return t.r, nil
}

// readCalls returns the calls by start, so that a name is known before it is used.
func readCalls(trace io.Reader) (calls []call, lines int, err error) {
	pending := map[string]call{} // by thread: begun, not yet back
	in := bufio.NewReaderSize(trace, 1<<20)
	for ; ; lines++ {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		thread, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		text = strings.TrimSpace(text)
		start := lines
		if begun, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
			pending[thread] = call{args: begun, start: lines}
			continue
		}
		if strings.HasPrefix(text, "<... ") {
			_, rest, _ := strings.Cut(text, "resumed>")
			begun := pending[thread]
			delete(pending, thread)
			text, start = begun.args+rest, begun.start
		}
		// With -xx no string holds a bracket, a comma or an equals sign.
		left, result, _ := strings.Cut(text, " = ")
		name, args, ok := strings.Cut(strings.TrimSuffix(strings.TrimRight(left, " "), ")"), "(")
		m := resultPattern.FindStringSubmatch(result)
		if !ok || m == nil {
			continue // the end of a thread
		}
		c := call{name: name, args: args, resultPath: unhex(m[2]), start: start, end: lines}
		if m[1] == "?" { // it never returned
			c.result, c.end = math.MaxInt, math.MaxInt
		} else if c.result, err = strconv.ParseInt(m[1], 10, 64); err != nil {
			return nil, 0, fmt.Errorf("line %d of the trace: %w", lines+1, err)
		}
		calls = append(calls, c)
	}
	return calls, lines, nil
}

// unhex decodes what -xx wrote.
func unhex(s string) string {
	var b strings.Builder
	b.Grow(len(s) / 4)
	for i := 0; i < len(s); i++ {
		if i+3 < len(s) && s[i] == '\\' && s[i+1] == 'x' {
			if v, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// tracer turns calls into operations.
type tracer struct {
	r       *Recording
	live    map[string]int  // the files by name, as the process saw them
	offsets map[int64]int64 // by descriptor: where write(2) goes on
}

// relative returns path as a name in the folder; false when it is elsewhere or only an index.
func (t *tracer) relative(path string) (string, bool) {
	name, err := filepath.Rel(t.r.dir, path)
	return name, err == nil && filepath.IsAbs(path) && !strings.HasPrefix(name, "..") && !strings.HasSuffix(name, "-shm")
}

func (t *tracer) call(c call) {
	var strs []string
	for i, part := range strings.Split(c.args, `"`) {
		if i%2 == 1 {
			strs = append(strs, unhex(part))
		}
	}
	switch c.name {
	case "open", "openat", "creat":
		t.opened(c)
	case "unlink", "unlinkat":
		if name, ok := t.relative(strs[0]); ok {
			delete(t.live, name)
			t.add(c, operation{kind: unnamed, name: name})
		}
	case "rename", "renameat", "renameat2", "link", "linkat":
		t.renamed(c, strs)
	default:
		t.onDescriptor(c, strs)
	}
}

func (t *tracer) add(c call, o operation) {
	o.start, o.end = c.start, c.end
	t.r.ops = append(t.r.ops, o)
}

func (t *tracer) opened(c call) {
	t.offsets[c.result] = 0
	name, ok := t.relative(c.resultPath)
	if !ok || c.name != "creat" && !strings.Contains(c.args, "O_CREAT") {
		return
	}
	if _, there := t.live[name]; !there {
		t.live[name] = t.r.files
		t.r.files++
		t.add(c, operation{kind: named, name: name, file: t.live[name]})
	}
}

func (t *tracer) renamed(c call, strs []string) {
	from, ok1 := t.relative(strs[0])
	to, ok2 := t.relative(strs[len(strs)-1])
	file, known := t.live[from]
	if !ok1 || !ok2 || !known {
		return
	}
	t.live[to] = file
	o := operation{kind: named, name: to, file: file}
	if strings.HasPrefix(c.name, "rename") {
		delete(t.live, from)
		o.from = from
	}
	t.add(c, o)
}

// onDescriptor reads the calls whose first argument is a descriptor.
func (t *tracer) onDescriptor(c call, strs []string) {
	m := firstPath.FindStringSubmatch(c.args)
	if m == nil {
		return
	}
	fd, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return
	}
	if fd == 1 && c.name == "write" {
		t.add(c, operation{kind: said, data: []byte(strs[0])})
		return
	}
	name, ok := t.relative(unhex(m[2]))
	if !ok {
		return
	}
	file, known := t.live[name]
	isSync := c.name == "fsync" || c.name == "fdatasync"
	switch {
	case isSync && !known:
		t.add(c, operation{kind: syncedDir, name: name})
	case isSync:
		t.add(c, operation{kind: synced, file: file})
	case !known:
	case c.name == "write":
		t.add(c, operation{kind: written, file: file, offset: t.offsets[fd], data: c.written(strs)})
		t.offsets[fd] += c.result
	case c.name == "pwrite64":
		t.add(c, operation{kind: written, file: file, offset: lastNumber(c.args), data: c.written(strs)})
	case c.name == "ftruncate":
		t.add(c, operation{kind: truncated, file: file, offset: lastNumber(c.args)})
	}
}

// written returns what a write wrote: all of its bytes, or as many as it said.
func (c call) written(strs []string) []byte {
	return []byte(strs[0][:min(int64(len(strs[0])), c.result)])
}

func lastNumber(args string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(args[strings.LastIndex(args, ",")+1:]), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("storetest: %q does not end in a number", args))
	}
	return n
}
