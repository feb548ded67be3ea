package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/durable"
	"github.com/daybook-audit/daybook/verify"
)

// defaultMaxAge is the age from which the checkpoint of a running log is stale: three anchor intervals.
const defaultMaxAge = 15 * time.Minute

const verifyFields = "exit,origin,key,size,root,signed,from,to,entries,controls,withheld,removed,hashed,filtered,masked,witnesses,anchored,findings,more,notes,checkpoint"

// verifying holds what a reader trusts and remembers, from the command line.
type verifying struct {
	vkeys, anchors                            []string
	since, state, policy, receipts, entryFile string
	maxSkew, maxAge                           time.Duration

	options verify.Options
	entry   *verify.Entry
	memory  verify.State
	keep    bool // the state file is ours to write
}

func newVerify(e *env) *cobra.Command {
	v := &verifying{}
	var full bool
	cmd := &cobra.Command{
		Use: "verify [FILE]", Short: "Check that a log, a bundle or a proof is complete and unaltered",
		Long: `With a FILE it reads a bundle (.daybook, also .daybook.gz) or a .tlog-proof, "-" for stdin, and asks nobody. Without one it looks at the
log on its server, from where --state has ended. It checks signatures, inclusion, completeness, order, times, and that all that is
missing was removed lawfully.

What it trusts are the keys given with --vkey, in --state or in --policy, never a key that the file or the server names. Get the vkey by
another way than from the log: on paper, in the contract. A proof shows that an event is in the log; it shows what the event says if its
entry is given with --entry.`,
		Example: `  $ daybook verify acme-2026.daybook.gz --vkey 'audit.example.com/o/7f3k2q9x4m1n8p5r+9c1cb24f+ASihhwa0DweTdLp9cS3wjDesnFuwtloKI6dT5fWmf0lg'
  $ daybook verify --org org_acme --state auditor.state              # what is new since the last time; --full: everything
  $ daybook verify event.tlog-proof --entry event.json --vkey "$VKEY" -o json | jq .findings`,
		Annotations: map[string]string{fieldsNote: verifyFields, exitsNote: "0 proved · 2 the command line is wrong · 6 something is false: tampering or damage · 7 could not be verified: a key or proof is missing"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("%q is too much: only one FILE is expected", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := v.read(e); err != nil {
				return err
			}
			switch online := len(args) == 0; {
			case online && v.entry != nil:
				return usage("--entry goes with a .tlog-proof")
			case online:
				if !cmd.Flags().Changed("max-age") {
					v.options.MaxAge = defaultMaxAge
				}
				return v.online(cmd.Context(), e, full)
			case full:
				return usage("--full goes without a FILE, which is always looked at whole")
			}
			return v.file(e, args[0])
		},
	}
	v.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&full, "full", false, "on a server: every entry, not only what is new since --state")
	f.StringVar(&v.entryFile, "entry", "", "with a .tlog-proof: the JSON of the entry that it is of")
	f.DurationVar(&v.maxAge, "max-age", 0, "stale if the checkpoint was signed longer ago (default: 15m on a server, any age of a file)")
	return cmd
}

// flags adds what verify and monitor have in common.
func (v *verifying) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&v.vkeys, "vkey", nil, "trusted key of the log, or of its clock; may be repeated")
	f.StringVar(&v.since, "since", "", "a checkpoint seen before, in a file: the log must extend it")
	f.StringVar(&v.state, "state", "", "file that remembers keys and checkpoints; written after success")
	f.StringArrayVar(&v.anchors, "anchor-vkey", nil, "trusted key of the anchor log: an anchor by it is required")
	f.StringVar(&v.policy, "policy", "", "C2SP tlog-policy file: which witnesses must have signed")
	f.StringVar(&v.receipts, "receipts", "", "receipts of recorded events, NDJSON: their leaf hashes must be those of the log")
	f.DurationVar(&v.maxSkew, "max-skew", verify.DefaultSkew, "how wrong the signing clock may have been")
	f.Lookup("since").Annotations = map[string][]string{valueNote: {"FILE"}}
}

// read reads the files that the flags name. What is wrong with them is a wrong command line.
func (v *verifying) read(e *env) error {
	if v.maxSkew <= 0 || v.maxAge < 0 {
		return usage("--max-skew and --max-age are lengths of time above zero")
	}
	v.options = verify.Options{MaxSkew: v.maxSkew, MaxAge: v.maxAge, Now: e.now}
	for _, list := range []struct {
		flag string
		from []string
		to   *[]verify.Key
	}{{"--vkey", v.vkeys, &v.options.Keys}, {"--anchor-vkey", v.anchors, &v.options.AnchorKeys}} {
		for _, text := range list.from {
			k, err := verify.ParseKey(strings.TrimSpace(text))
			if err != nil {
				return usage("%s %q: %v", list.flag, text, err)
			}
			*list.to = append(*list.to, k)
		}
	}
	for _, file := range []struct {
		flag, name string
		take       func(text []byte) error
	}{
		{"--since", v.since, func(text []byte) (err error) {
			v.options.Since, err = verify.ParseRemembered(text)
			return err
		}},
		{"--policy", v.policy, func(text []byte) (err error) {
			v.options.Policy, err = verify.ParsePolicy(string(text))
			return err
		}},
		{"--receipts", v.receipts, v.readReceipts},
		{"--entry", v.entryFile, func(text []byte) error {
			entry, err := verify.ParseEntry(text)
			v.entry = &entry
			return err
		}},
	} {
		if file.name == "" {
			continue
		}
		text, err := os.ReadFile(file.name)
		if err == nil {
			err = file.take(text)
		}
		if err != nil {
			return usage("%s %s: %v", file.flag, file.name, err)
		}
	}
	return v.readState()
}

// readState reads the state file. One that is not there is made; one that holds a bare checkpoint is the reader's own and stays as it is.
func (v *verifying) readState() error {
	v.memory = verify.State{}
	if v.state == "" {
		return nil
	}
	text, err := os.ReadFile(v.state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usage("--state: %v", err)
	}
	if v.memory, err = verify.ParseState(text); err != nil {
		return usage("--state %s: %v", v.state, err)
	}
	text = bytes.TrimSpace(text)
	v.keep = len(text) == 0 || text[0] == '{'
	v.options.State = v.memory
	return nil
}

// readReceipts reads one receipt a line, as recording answers.
func (v *verifying) readReceipts(text []byte) error {
	v.options.Receipts = map[int64]tlog.Hash{}
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var r struct {
			Seq  *int64     `json:"seq"`
			Hash *tlog.Hash `json:"leaf_hash"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("a line is no receipt: %w", err)
		}
		if r.Seq == nil || r.Hash == nil {
			return errors.New("a receipt has seq and leaf_hash")
		}
		if seen, ok := v.options.Receipts[*r.Seq]; ok && seen != *r.Hash {
			return fmt.Errorf("two receipts of entry %d differ", *r.Seq)
		}
		v.options.Receipts[*r.Seq] = *r.Hash
	}
	return nil
}

// file verifies a bundle or a proof and says so.
func (v *verifying) file(e *env, name string) error {
	in := io.NopCloser(e.stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			r := &verify.Report{}
			r.Add(verify.Finding{Code: verify.Unreachable, Seq: -1, Message: err.Error()})
			return v.end(e, r)
		}
		in = f
	}
	buffered := bufio.NewReader(in)
	start, err := buffered.Peek(len("c2sp.org/"))
	isProof := err == nil && string(start) == "c2sp.org/"
	var r *verify.Report
	if isProof {
		r = v.proof(buffered)
	} else {
		if v.entry != nil {
			return errors.Join(usage("--entry goes with a .tlog-proof; %s is a bundle", name), in.Close())
		}
		bar := e.progress("entries", 0)
		o := v.options
		o.Progress = func(done, total int64) {
			bar.total = total
			bar.at(done)
		}
		r = verify.Bundle(buffered, o)
		bar.end()
	}
	if err := in.Close(); err != nil {
		return err
	}
	return v.end(e, r)
}

// maxProofFile bounds a .tlog-proof: 63 hashes and a note of at most 100 signatures.
const maxProofFile = 1 << 20

func (v *verifying) proof(in io.Reader) *verify.Report {
	text, err := io.ReadAll(io.LimitReader(in, maxProofFile))
	if err != nil {
		r := &verify.Report{}
		r.Add(verify.Finding{Code: verify.Unreachable, Seq: -1, Message: err.Error()})
		return r
	}
	return verify.Proof(string(text), v.entry, v.options)
}

// end prints a report, remembers what it proved, and returns its exit code.
func (v *verifying) end(e *env, r *verify.Report) error {
	if err := e.report(r); err != nil {
		return err
	}
	if err := v.save(e, r); err != nil {
		return err
	}
	if r.Has(verify.KeyNotPinned) {
		e.note("try: --vkey VKEY, which you have by another way than from the log")
	}
	if code := r.Exit(); code != exitDone {
		return ended(code)
	}
	return nil
}

// save writes the state file if the report proved something new. The file has its old content or its new one, whatever happens.
func (v *verifying) save(e *env, r *verify.Report) error {
	if v.state == "" || !v.memory.Remember(r, v.options.Keys) {
		return nil
	}
	if !v.keep {
		e.note("%s holds a checkpoint and stays as it is; a new file given with --state also remembers keys", v.state)
		return nil
	}
	text, err := v.memory.Append(nil)
	if err != nil {
		return err
	}
	// A crash here leaves the old state: the next verification begins from there.
	return durable.WriteFile(v.state, text, 0o600)
}
