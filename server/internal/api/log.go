package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
)

// The routes of a log for who verifies it: docs/reference/api.md. What they answer proves itself, whoever carries it.

// Header values of the log's routes.
var (
	noteType    = []string{"text/plain; charset=utf-8"}
	binaryType  = []string{"application/octet-stream"}
	bundleType  = []string{"application/x-ndjson"}
	askAgain    = []string{"private, no-cache"}
	neverStales = []string{"private, max-age=31536000, immutable"}
)

// inclusion is a proof that an entry is in a tree.
type inclusion struct {
	Seq      int64    `json:"seq" example:"9"`
	Size     int64    `json:"size" doc:"Of the tree." example:"16"`
	LeafHash string   `json:"leaf_hash" doc:"SHA-256, base64."`
	Proof    []string `json:"proof" nullable:"false" doc:"Hashes of RFC 6962, from the leaf up."`
}

// consistency is a proof that a tree is the beginning of another.
type consistency struct {
	From  int64    `json:"from" doc:"Size of the older tree." example:"5"`
	To    int64    `json:"to" doc:"Size of the newer tree." example:"16"`
	Proof []string `json:"proof" nullable:"false" doc:"Hashes of RFC 6962."`
}

// logInfo says how a log stands, and what a reader needs to check it.
type logInfo struct {
	Origin         string    `json:"origin" doc:"What its checkpoints are named after." example:"audit.example.com/o/7f3k2q9x4m1n8p5r"`
	Epoch          int       `json:"epoch"`
	State          string    `json:"state" enum:"open,frozen,closed" doc:"frozen: reads go on, nothing is recorded and nothing signed."`
	Size           int64     `json:"size" doc:"Number of entries." example:"48192"`
	SignedSize     int64     `json:"signed_size" doc:"Of the newest checkpoint." example:"48190"`
	MinIndex       int64     `json:"min_index" doc:"Bundles and inclusion proofs begin here: what is below was pruned with its hashes."`
	AnchorInterval int64     `json:"anchor_interval_s" doc:"A changed log is signed at least so often, in seconds." example:"300"`
	Keys           []vkeyRow `json:"keys" nullable:"false" doc:"Of the log, oldest first. Take the key that you pin from somewhere else: this is a convenience."`
	ClockVkey      string    `json:"clock_vkey" doc:"Of the clock's signature."`
	AnchorVkey     string    `json:"anchor_vkey" doc:"Of the instance's anchor log; empty: there is none."`
}

// vkeyRow is a verifier key of a log.
type vkeyRow struct {
	Vkey       string `json:"vkey"`
	Generation int    `json:"generation" minimum:"1"`
	State      string `json:"state" enum:"current,retiring,retired"`
	Seq        int64  `json:"seq" doc:"Of the entry that added it; -1: the log began with it."`
}

// logRoutes lists the routes of a log: the newest of an organization, or that of an epoch.
func logRoutes() []*route {
	var all []*route
	for _, epoch := range []bool{false, true} {
		rows := []*route{
			{pattern: "/checkpoint", fresh: freshAlways, viewers: auth.FeatureVerify, looks: proved("checkpoint"), handler: getCheckpoint, about: aboutGetCheckpoint},
			{pattern: "/checkpoints", viewers: auth.FeatureVerify, looks: proved("checkpoint"), params: []param{paramLimit, paramCursor}, handler: listCheckpoints, about: aboutListCheckpoints},
			{pattern: "/checkpoints/{size}", viewers: auth.FeatureVerify, looks: proved("checkpoint"), handler: getCheckpointAt, about: aboutGetCheckpointAt},
			{pattern: "/tile/{path...}", viewers: auth.FeatureVerify, looks: proved("tile"), quiet: true, handler: getTile, about: aboutGetTile},
			{pattern: "/inclusion", fresh: freshAlways, viewers: auth.FeatureVerify, looks: proved("inclusion"), params: []param{paramSeq, paramSize}, handler: getInclusion, about: aboutGetInclusion},
			{pattern: "/consistency", fresh: freshAlways, viewers: auth.FeatureVerify, looks: proved("consistency"), params: []param{paramFromSize, paramToSize}, handler: getConsistency, about: aboutGetConsistency},
			{pattern: "/proof/{file}", fresh: freshAlways, viewers: auth.FeatureVerify, looks: proved("proof"), handler: getProof, about: aboutGetProof},
			{pattern: "/bundle", fresh: freshAlways, scopes: auth.Export, looks: watched("bundle"), params: []param{paramBundleFrom, paramBundleTo, paramSize, paramQ, paramTZ, paramMask, paramSince}, handler: getBundle, about: aboutGetBundle},
			{pattern: "/evidence", fresh: freshAlways, viewers: auth.FeatureVerify, looks: watched("evidence"), params: []param{paramEvidenceFrom, paramEvidenceTo, paramSize, paramSince}, handler: getEvidence, about: aboutGetEvidence},
			{pattern: "/anchor", looks: proved("anchor"), params: []param{paramSize}, handler: getLogAnchor, about: aboutGetLogAnchor},
			{pattern: "/info", fresh: freshAlways, viewers: auth.FeatureVerify, handler: getLogInfo, about: aboutGetLogInfo},
		}
		for _, rt := range rows {
			rt.method, rt.org = http.MethodGet, orgPath
			if rt.scopes == auth.None {
				rt.scopes = auth.Read
			}
			if epoch {
				rt.pattern = epochPath + rt.pattern
				rt.about.id += "OfEpoch"
				rt.about.summary += ", of an epoch"
				rt.about.path = append(slices.Clone(rt.about.path), pathEpoch)
			} else {
				rt.pattern = logPath + rt.pattern
			}
		}
		all = append(all, rows...)
	}
	return append(
		all,
		&route{method: http.MethodPost, pattern: logPath + "/keys", scopes: auth.Manage, org: orgPath, handler: rotateKey, about: aboutRotateKey},
		&route{method: http.MethodGet, pattern: logPath + "/failures", scopes: auth.Read, org: orgPath, handler: listFailures, about: aboutListFailures},
		&route{method: http.MethodPost, pattern: logPath + "/failures", scopes: auth.Manage, org: orgPath, handler: acknowledgeFailures, about: aboutAcknowledge},
	)
}

// logPath begins the routes of an organization's newest log, epochPath those of the log of an epoch.
const (
	logPath   = "/v1/organizations/{org}/log"
	epochPath = logPath + "/epochs/{epoch}"
)

// instanceKeys are the verifier keys that say nothing about any log.
type instanceKeys struct {
	ClockVkey  string `json:"clock_vkey" doc:"Of the clock's signature on every checkpoint." example:"audit.example.com/clock+236eee66+BAatBBD9srVwN21ogZ9cxgLHpBDoAcTPnmYRcYrgBtTn"`
	AnchorVkey string `json:"anchor_vkey" doc:"Of the anchor log; empty: there is none."`
}

func getInstanceKeys(c *call) error {
	keys, err := c.s.Book.InstanceVkeys(c.r.Context())
	if err != nil {
		return err
	}
	if keys.Clock == "" {
		return errNotFound
	}
	c.send(http.StatusOK, jsonType, marshal(instanceKeys{ClockVkey: keys.Clock, AnchorVkey: keys.Anchor}))
	return nil
}

// sendNote answers with a checkpoint or a proof in text.
func (c *call) sendNote(note []byte, cache []string) {
	c.w.Header()["Cache-Control"] = cache
	c.send(http.StatusOK, noteType, note)
}

// log is the one that the path names: of an epoch, or the newest.
func (c *call) log() (*daybook.Log, error) {
	epoch := int64(daybook.NewestEpoch)
	if text := c.r.PathValue("epoch"); text != "" {
		var ok bool
		if epoch, ok = plainDecimal(text); !ok {
			return nil, errNotFound
		}
	}
	l, err := c.s.Book.Log(c.r.Context(), c.org, int(epoch))
	if daybook.CodeOf(err) == daybook.CodeNotFound {
		err = errNotFound
	}
	return l, err
}

func getCheckpoint(c *call) error {
	l, err := c.log()
	if err != nil {
		return err
	}
	cp, err := l.Checkpoint(c.r.Context())
	if err != nil {
		return err
	}
	c.sendNote(cp.Note, askAgain)
	return nil
}

func getCheckpointAt(c *call) error {
	size, ok := plainDecimal(c.r.PathValue("size"))
	if !ok {
		return errNotFound
	}
	l, err := c.log()
	if err != nil {
		return err
	}
	cp, err := l.CheckpointAt(c.r.Context(), size)
	if err != nil {
		return absent(err)
	}
	c.sendNote(cp.Note, neverStales)
	return nil
}

// checkpointRow is a stored checkpoint in a list.
type checkpointRow struct {
	Size     int64  `json:"size" example:"48201"`
	SignedAt stamp  `json:"signed_at" format:"date-time" doc:"By the clock of the server that signed it."`
	Root     string `json:"root" doc:"Base64; empty when damaged."`
	Note     string `json:"note" doc:"The signed note; empty when damaged."`
	Damaged  bool   `json:"damaged,omitempty" doc:"What is stored is not a checkpoint of this size any more."`
}

type checkpointList struct {
	Checkpoints []checkpointRow `json:"checkpoints" nullable:"false" doc:"Newest first."`
	NextCursor  *string         `json:"next_cursor" doc:"For the next page; null at the end."`
}

// listCheckpoints gives what was signed. One that is damaged keeps its row, so that nothing is missing silently.
func listCheckpoints(c *call) error {
	limit, err := c.whole(paramLimit)
	if err != nil {
		return err
	}
	text, err := readListCursor(c.param(paramCursor))
	below, ok := plainDecimal(cmp.Or(text, "0"))
	if err == nil && (!ok || text == "0") {
		err = invalid("cursor_invalid", paramCursor.name, "this cursor is not one of this list.")
	}
	if err != nil {
		return err
	}
	l, err := c.log()
	if err != nil {
		return err
	}
	list := checkpointList{Checkpoints: []checkpointRow{}}
	for cp, err := range l.Checkpoints(c.r.Context(), below) {
		d, bad := errors.AsType[*daybook.DamageError](err)
		if err != nil && !bad {
			return err
		}
		if len(list.Checkpoints) == int(limit) {
			list.NextCursor = listCursor(strconv.FormatInt(list.Checkpoints[limit-1].Size, 10))
			break
		}
		row := checkpointRow{Size: cp.Size, SignedAt: newStamp(cp.At), Damaged: bad}
		if bad {
			c.noteDamage(d.Damage)
		} else {
			row.Root, row.Note = cp.Root.String(), string(cp.Note)
		}
		list.Checkpoints = append(list.Checkpoints, row)
	}
	c.w.Header()["Cache-Control"] = askAgain
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func getLogInfo(c *call) error {
	l, err := c.log()
	if err != nil {
		return err
	}
	info, err := l.Info(c.r.Context())
	if err != nil {
		return err
	}
	shown := logInfo{
		Origin: info.Origin, Epoch: info.Epoch, State: logStates[info.State], Size: info.Size, SignedSize: max(info.SignedSize, 0), MinIndex: info.MinIndex,
		AnchorInterval: int64(info.SignEvery.Seconds()), Keys: []vkeyRow{}, ClockVkey: info.ClockVkey, AnchorVkey: info.AnchorVkey,
	}
	for _, k := range info.Keys {
		shown.Keys = append(shown.Keys, vkeyRow(k))
	}
	c.send(http.StatusOK, jsonType, marshal(shown))
	return nil
}

// rotateKey adds the next key to a log. The log itself says who asked for it: the act needs no event beside its control entry.
func rotateKey(c *call) error {
	by := actorOf(c.principal)
	v, err := c.s.Book.RotateKey(c.r.Context(), c.org, daybook.Party{Type: by.Type, ID: by.ID})
	if err != nil {
		return err
	}
	// The control entry is the proof; this is the twin that people find.
	c.after(c.org, c.act("daybook.key_rotation.started", daybook.Target{Type: "log", ID: string(c.org)}, vkeyRow(v)))
	c.send(http.StatusCreated, jsonType, marshal(vkeyRow(v)))
	return nil
}

// signedSize is that of the newest checkpoint.
func (c *call) signedSize(l *daybook.Log) (int64, error) {
	info, err := l.Info(c.r.Context())
	return info.SignedSize, err
}

func getTile(c *call) error {
	t, ok := parseTile(c.r.PathValue("path"))
	if !ok || t.entries && c.viewer() != nil { // leaves say when which event came, also of those that a filter leaves out
		return errNotFound
	}
	l, err := c.log()
	if err != nil {
		return err
	}
	signed, err := c.signedSize(l)
	if err != nil {
		return err
	}
	return c.sendTile(l, t, signed)
}

func getInclusion(c *call) error {
	seq, err := c.size(paramSeq)
	if err != nil {
		return err
	}
	l, err := c.log()
	if err != nil {
		return err
	}
	if err := c.sees(seq); err != nil {
		return err
	}
	size, err := c.treeSize(l, paramSize)
	if err != nil {
		return err
	}
	return c.sendInclusion(l, seq, size)
}

func getConsistency(c *call) error {
	from, err := c.size(paramFromSize)
	if err != nil {
		return err
	}
	l, err := c.log()
	if err != nil {
		return err
	}
	to, err := c.treeSize(l, paramToSize)
	if err != nil {
		return err
	}
	return c.sendConsistency(l, from, to)
}

// tree is a log or the anchor log.
type tree interface {
	Inclusion(ctx context.Context, seq, size int64) (daybook.Inclusion, error)
	Consistency(ctx context.Context, from, to int64) ([]tlog.Hash, error)
}

func (c *call) sendInclusion(t tree, seq, size int64) error {
	in, err := t.Inclusion(c.r.Context(), seq, size)
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(inclusion{Seq: in.Seq, Size: in.Size, LeafHash: in.LeafHash.String(), Proof: hashTexts(in.Proof)}))
	return nil
}

func (c *call) sendConsistency(t tree, from, to int64) error {
	proof, err := t.Consistency(c.r.Context(), from, to)
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(consistency{From: from, To: to, Proof: hashTexts(proof)}))
	return nil
}

func hashTexts(hs []tlog.Hash) []string {
	texts := make([]string, 0, len(hs))
	for _, h := range hs {
		texts = append(texts, h.String())
	}
	return texts
}

// proofSuffix ends the name of the file that proves an event.
const proofSuffix = ".tlog-proof"

func getProof(c *call) error {
	name, ok := strings.CutSuffix(c.r.PathValue("file"), proofSuffix)
	id, err := daybook.ParseID(name)
	if !ok || err != nil {
		return errNotFound
	}
	if c.viewer() != nil {
		if _, err := c.entryOf(name); err != nil {
			return err
		}
	}
	l, err := c.log()
	if err != nil {
		return err
	}
	file, err := l.TLogProof(c.r.Context(), id)
	if daybook.CodeOf(err) == daybook.CodeNotFound {
		return errNotFound
	}
	if err != nil {
		return err
	}
	c.sendNote(file, askAgain)
	return nil
}

// size reads a parameter that must be given.
func (c *call) size(p param) (int64, error) {
	if !c.given(p) {
		return 0, invalid("required", p.name, "%s is required.", p.name)
	}
	return c.whole(p)
}

// treeSize reads the size of a tree, which must be signed; without it that of the newest checkpoint, signing first.
func (c *call) treeSize(l *daybook.Log, p param) (int64, error) {
	if !c.given(p) {
		cp, err := l.Checkpoint(c.r.Context())
		return cp.Size, err
	}
	size, err := c.whole(p)
	if err != nil {
		return 0, err
	}
	signed, err := c.signedSize(l)
	if err == nil && size > signed {
		err = &daybook.Error{Code: daybook.CodeNotFound, Field: p.name, Message: fmt.Sprintf("the newest checkpoint is of size %d.", signed)}
	}
	return size, err
}

// tilePath names a tile or an entry bundle.
type tilePath struct {
	entries bool
	level   int
	n       int64
	width   int
}

// size is that of the smallest tree that has the tile, or more than any.
func (t tilePath) size() int64 {
	n := t.n*256 + int64(t.width)
	for range t.level {
		if n > maxTreeSize>>8 {
			return maxTreeSize + 1
		}
		n <<= 8
	}
	return n
}

// maxTreeSize is above any log's size.
const maxTreeSize = 1 << 53

// parseTile reads what follows tile/ in a path of C2SP tlog-tiles: the level or the word entries, the number in groups of three digits,
// all but the last with x in front, and for a partial tile .p and its width. Every tile has exactly one spelling.
func parseTile(path string) (t tilePath, ok bool) {
	level, path, ok := strings.Cut(path, "/")
	if !ok {
		return t, false
	}
	if t.entries = level == "entries"; !t.entries {
		l, ok := plainDecimal(level)
		if !ok || l > 5 { // what is above has no leaves: 256^6 are 2^48, and a tile of level 6 is not full before 2^56
			return t, false
		}
		t.level = int(l)
	}
	t.width = 256
	if name, width, partial := strings.Cut(path, ".p/"); partial {
		w, ok := plainDecimal(width)
		if !ok || w < 1 || w > 255 {
			return t, false
		}
		path, t.width = name, int(w)
	}
	t.n, ok = tileNumber(path)
	return t, ok
}

// tileNumber reads the number of a tile.
func tileNumber(path string) (n int64, ok bool) {
	groups := strings.Split(path, "/")
	if len(groups) > 5 { // 10^15 × 256 is above any size
		return 0, false
	}
	for i, g := range groups {
		if i < len(groups)-1 {
			if g, ok = strings.CutPrefix(g, "x"); !ok || i == 0 && g == "000" {
				return 0, false
			}
		}
		if len(g) != 3 || strings.Trim(g, "0123456789") != "" {
			return 0, false
		}
		n = n*1000 + int64(g[0]-'0')*100 + int64(g[1]-'0')*10 + int64(g[2]-'0')
	}
	return n, n <= maxTreeSize/256
}

// plainDecimal reads a decimal number without sign and leading zeros, below 2^53.
func plainDecimal(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0 && n < maxTreeSize && strconv.FormatInt(n, 10) == text
}
