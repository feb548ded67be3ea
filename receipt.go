package daybook

import (
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Receipt says where an event stands. Its JSON members are id, seq, leaf_hash, received_at, duplicate.
type Receipt struct {
	ID         ID
	Org        OrgID
	Seq        int64 // 0-based position in the log of Org
	LeafHash   tlog.Hash
	ReceivedAt time.Time
	Duplicate  bool // recorded before; this is the receipt of that time
}
