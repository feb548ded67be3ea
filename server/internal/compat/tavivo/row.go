package tavivo

import (
	"encoding/base64"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
)

// row is an entry as the door shows it: the six members of the original, then ours.
type row struct {
	seq                      int64
	userID, action, metaData []byte // JSON; nil: null
	at                       int64  // µs since 1970
	eventID                  daybook.ID
	leafHash                 tlog.Hash
	duplicate                *bool    // only of what was just recorded
	erased                   []string // only of what was erased in part
	removed                  string   // only of what is gone
}

// id counts from 1, as the rows of the original do.
func (r *row) id() string { return strconv.FormatInt(r.seq+1, 10) }

func (r *row) appendJSON(dst []byte) []byte {
	dst = append(append(dst, `{"id":`...), r.id()...)
	for _, m := range []struct {
		name  string
		value []byte
	}{{`,"userId":`, r.userID}, {`,"action":`, r.action}, {`,"metaData":`, r.metaData}} {
		if dst = append(dst, m.name...); m.value == nil {
			m.value = null
		}
		dst = append(dst, m.value...)
	}
	at := time.UnixMicro(r.at).UTC().Format("2006-01-02T15:04:05.000Z")
	dst = append(append(append(dst, `,"CreatedAt":"`...), at...), `","UpdatedAt":"`...)
	dst = append(append(dst, at...), `","eventId":"`...)
	dst = r.eventID.Append(dst)
	dst = strconv.AppendInt(append(dst, `","seq":`...), r.seq, 10)
	dst = base64.StdEncoding.AppendEncode(append(dst, `,"leafHash":"`...), r.leafHash[:])
	dst = append(dst, '"')
	if r.duplicate != nil {
		dst = strconv.AppendBool(append(dst, `,"duplicate":`...), *r.duplicate)
	}
	if r.removed != "" {
		dst = rawjson.AppendText(append(dst, `,"removed":`...), r.removed)
	}
	if len(r.erased) > 0 {
		dst = append(append(dst, `,"erased":`...), encode(r.erased)...)
	}
	return append(dst, '}')
}

// rowOf returns an entry as a row, and whether it was recorded through this door (or imported from the original).
func rowOf(e *daybook.Entry) (r *row, ours bool) {
	r = &row{seq: e.Seq, at: e.ReceivedAt, eventID: e.ID, leafHash: e.LeafHash, erased: e.ErasedFields}
	if e.Removed != daybook.NotRemoved {
		r.removed = e.Removed.String()
		return r, false
	}
	members := rawjson.Members(e.Payload)
	if at, err := time.Parse(time.RFC3339Nano, text(rawjson.Find(members, "occurred_at"))); err == nil {
		r.at = at.UnixMicro()
	}
	metadata := rawjson.Find(members, "metadata")
	if log := rawjson.At(metadata, name); rawjson.IsObject(log) {
		r.userID, r.action, r.metaData = rawjson.At(log, "userId"), rawjson.At(log, "action"), rawjson.At(log, "metaData")
		return r, true
	}
	r.userID, r.action, r.metaData = rawjson.At(rawjson.Find(members, "actor"), "id"), rawjson.Find(members, "action"), metadata
	if e.Kind == daybook.KindControl {
		r.action = rawjson.Find(members, "op")
	}
	return r, false
}
