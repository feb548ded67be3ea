package tavivo

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// Import turns a row of the original's table logs into an event: a JSON object with id, user_id, action, meta_data, created_at and
// updated_at, as row_to_json writes it; meta_data may also be the text of JSON, and created_at what PostgreSQL prints. The event is the
// one that POST /logs would have recorded, with created_at as its time and an id made of the row's id, time and action, so that a dump
// imported again records nothing twice. The error says what is wrong with the row.
func Import(row []byte, names Names) ([]byte, error) {
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(row); err != nil {
		return nil, err
	}
	members := rawjson.Members(row)
	in := &incoming{
		userID: find(members, "user_id", "userId"), action: rawjson.Find(members, "action"), metaData: find(members, "meta_data", "metaData"),
		rowID: find(members, "id"),
	}
	switch at, err := rowTime(text(find(members, "created_at", "CreatedAt"))); {
	case in.userID == nil || !isUserID(in.userID):
		return nil, errors.New("user_id is not an integer or a string of 1 to 256 characters")
	case in.action == nil || !isShortText(in.action):
		return nil, errors.New("action is not a string of 1 to 256 characters")
	case scalar(in.rowID) == "":
		return nil, errors.New("id is missing")
	case err != nil:
		return nil, fmt.Errorf("created_at: %w", err)
	default:
		in.occurredAt = at.Format(time.RFC3339Nano)
		in.eventID = rowEventID(at, scalar(in.rowID)+"\n"+rawjson.Text(in.action))
	}
	if err := in.unpack(); err != nil {
		return nil, err
	}
	m := newMasker(names)
	in.masked = m.value(nil, in.metaData)
	return in.event(doc, &m, nil), nil
}

// find returns the first member of one of the names that is not null.
func find(members []rawjson.Member, names ...string) []byte {
	for _, name := range names {
		if v := rawjson.Find(members, name); v != nil && v[0] != 'n' {
			return v
		}
	}
	return nil
}

// unpack reads metadata that a dump has as the text of a JSON object.
func (in *incoming) unpack() error {
	switch {
	case in.metaData == nil:
		in.metaData = null
	case rawjson.IsString(in.metaData):
		inner := []byte(rawjson.Text(in.metaData))
		if !strings.HasPrefix(strings.TrimSpace(string(inner)), "{") {
			return nil
		}
		doc := leaf.Get()
		defer leaf.Put(doc)
		if err := doc.Read(inner); err != nil {
			return fmt.Errorf("meta_data: %w", err)
		}
		in.metaData = rawjson.Trim(inner)
	}
	return nil
}

// rowTime reads RFC 3339, or what PostgreSQL prints: 2022-03-01 10:11:12.345+00; without a zone it is UTC, which the original sets.
func rowTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			if t = t.UTC(); t.Year() < 1970 || t.Year() > 9999 {
				return t, errors.New("it lies before 1970")
			}
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", text)
}

// rowEventID is a UUIDv7 of a time and what tells the row from others: always the same for the same row.
func rowEventID(at time.Time, row string) daybook.ID {
	sum := sha256.Sum256([]byte("ta-vivo-audit-log\n" + row))
	id := daybook.ID(sum[:16])
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}
