package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
)

// The routes of the instance's anchor log. They are those of a log, and name no organization; a batch names all, by hashes, and is the
// operator's.

const anchorPath = "/v1/anchor"

// anchorInfo says how the anchor log stands.
type anchorInfo struct {
	Origin         string `json:"origin" doc:"What its checkpoints are named after." example:"audit.example.com/anchor"`
	SignedSize     int64  `json:"signed_size" doc:"Number of leaves that the newest checkpoint covers." example:"2016"`
	AnchorInterval int64  `json:"anchor_interval_s" doc:"A leaf is added at least so often while any log grows, in seconds." example:"300"`
	Vkey           string `json:"vkey" doc:"Its verifier key. Take the key that you pin from somewhere else: this is a convenience."`
}

// anchorBatch is what one leaf of the anchor log is the root of.
type anchorBatch struct {
	Index   int64  `json:"index"`
	Logs    int    `json:"logs" doc:"Number of entries in it."`
	Entries string `json:"entries" doc:"Base64 of 72 bytes a log, sorted: SHA-256 of its origin, u64 size, root."`
}

// anchored shows that a head of a log is in the anchor log. Its members are those of the line of a bundle.
type anchored struct {
	Size        int64    `json:"size" doc:"Of the log, when it was anchored." example:"16"`
	Root        string   `json:"root" doc:"Of the log at that size, base64."`
	Consistency []string `json:"consistency" nullable:"false" doc:"From that size to the one asked for; empty when they are equal."`
	BatchIndex  int64    `json:"batch_index" doc:"Place of the log in its batch."`
	BatchProof  []string `json:"batch_proof" nullable:"false" doc:"That it is in the batch."`
	Leaf        string   `json:"leaf" doc:"Of the anchor log: 65 bytes, base64. It holds the root of the batch."`
	Proof       []string `json:"proof" nullable:"false" doc:"That the leaf is in the anchor log."`
	Note        string   `json:"note" doc:"The checkpoint of the anchor log."`
}

func anchorRoutes() []*route {
	rows := []*route{
		{pattern: "/checkpoint", handler: getAnchor, about: aboutGetAnchor},
		{pattern: "/checkpoints/{size}", handler: getAnchorAt, about: aboutGetAnchorAt},
		{pattern: "/tile/{path...}", quiet: true, handler: getAnchorTile, about: aboutGetAnchorTile},
		{pattern: "/inclusion", params: []param{paramAnchorIndex, paramAnchorSize}, handler: getAnchorInclusion, about: aboutGetAnchorInclusion},
		{pattern: "/consistency", params: []param{paramFromSize, paramAnchorTo}, handler: getAnchorConsistency, about: aboutGetAnchorConsistency},
		{pattern: "/info", handler: getAnchorInfo, about: aboutGetAnchorInfo},
		{pattern: "/batch/{index}", scopes: auth.Operate, handler: getAnchorBatch, about: aboutGetAnchorBatch},
	}
	for _, rt := range rows {
		rt.method, rt.pattern = http.MethodGet, anchorPath+rt.pattern
		if rt.scopes == auth.None {
			rt.scopes = auth.Read
		}
	}
	return rows
}

// absent makes what is not there the 404 of this API.
func absent(err error) error {
	if daybook.CodeOf(err) == daybook.CodeNotFound {
		return errNotFound
	}
	return err
}

// anchors is the anchor log; a 404 when nothing was anchored.
func (c *call) anchors() (*daybook.Anchors, error) {
	a, err := c.s.Book.Anchors(c.r.Context())
	return a, absent(err)
}

// getAnchor answers with the newest checkpoint of the anchor log. It names no organization and proves nothing about any by itself.
func getAnchor(c *call) error {
	a, err := c.anchors()
	if err != nil {
		return err
	}
	c.sendNote(a.Note, askAgain)
	return nil
}

func getAnchorAt(c *call) error {
	size, ok := plainDecimal(c.r.PathValue("size"))
	if !ok {
		return errNotFound
	}
	a, err := c.anchors()
	if err != nil {
		return err
	}
	note, err := a.NoteAt(c.r.Context(), size)
	if err != nil {
		return absent(err)
	}
	c.sendNote(note, askAgain) // signatures of witnesses may be added to it
	return nil
}

func getAnchorTile(c *call) error {
	t, ok := parseTile(c.r.PathValue("path"))
	if !ok {
		return errNotFound
	}
	a, err := c.anchors()
	if err != nil {
		return err
	}
	return c.sendTile(a, t, a.Size)
}

// tiled is a log whose tree is served in tiles.
type tiled interface {
	Tile(ctx context.Context, level int, n int64, width int) ([]byte, error)
	EntryBundle(ctx context.Context, n int64, width int) ([]byte, error)
}

// sendTile answers with hashes or leaves. What lies beyond the newest checkpoint is not there yet.
func (c *call) sendTile(l tiled, t tilePath, signed int64) (err error) {
	if t.size() > signed {
		return errNotFound
	}
	var data []byte
	if t.entries {
		data, err = l.EntryBundle(c.r.Context(), t.n, t.width)
	} else {
		data, err = l.Tile(c.r.Context(), t.level, t.n, t.width)
	}
	if err != nil {
		return absent(err)
	}
	c.w.Header()["Cache-Control"] = neverStales
	c.send(http.StatusOK, binaryType, data)
	return nil
}

// anchorSize reads a size of the anchor log; without it that of the checkpoint.
func (c *call) anchorSize(a *daybook.Anchors, p param) (int64, error) {
	if !c.given(p) {
		return a.Size, nil
	}
	size, err := c.whole(p)
	if err == nil && size > a.Size {
		err = &daybook.Error{Code: daybook.CodeNotFound, Field: p.name, Message: fmt.Sprintf("the newest checkpoint of the anchor log is of size %d.", a.Size)}
	}
	return size, err
}

func getAnchorInclusion(c *call) error {
	index, err := c.size(paramAnchorIndex)
	if err != nil {
		return err
	}
	a, err := c.anchors()
	if err != nil {
		return err
	}
	size, err := c.anchorSize(a, paramAnchorSize)
	if err != nil {
		return err
	}
	return c.sendInclusion(a, index, size)
}

func getAnchorConsistency(c *call) error {
	from, err := c.size(paramFromSize)
	if err != nil {
		return err
	}
	a, err := c.anchors()
	if err != nil {
		return err
	}
	to, err := c.anchorSize(a, paramAnchorTo)
	if err != nil {
		return err
	}
	return c.sendConsistency(a, from, to)
}

func getAnchorInfo(c *call) error {
	a, err := c.anchors()
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(anchorInfo{Origin: a.Origin, SignedSize: a.Size, AnchorInterval: int64(a.SignEvery.Seconds()), Vkey: a.Vkey}))
	return nil
}

func getAnchorBatch(c *call) error {
	index, ok := plainDecimal(c.r.PathValue("index"))
	if !ok {
		return errNotFound
	}
	a, err := c.anchors()
	if err != nil {
		return err
	}
	batch, err := a.Batch(c.r.Context(), index)
	if err != nil {
		return absent(err)
	}
	c.send(http.StatusOK, jsonType, marshal(anchorBatch{Index: index, Logs: len(batch) / daybook.BatchEntrySize, Entries: base64.StdEncoding.EncodeToString(batch)}))
	return nil
}

// getLogAnchor answers with what anchors one log: its own entry of a batch and nothing of another's.
func getLogAnchor(c *call) error {
	l, err := c.log()
	if err != nil {
		return err
	}
	size, err := c.treeSize(l, paramSize)
	if err != nil {
		return err
	}
	a, err := l.Anchor(c.r.Context(), size)
	if err != nil {
		return absent(err)
	}
	c.send(http.StatusOK, jsonType, marshal(anchored{
		Size: a.Size, Root: a.Root.String(), Consistency: hashTexts(a.Consistency), BatchIndex: a.BatchIndex, BatchProof: hashTexts(a.BatchProof),
		Leaf: base64.StdEncoding.EncodeToString(a.Leaf), Proof: hashTexts(a.Proof), Note: string(a.Note),
	}))
	return nil
}
