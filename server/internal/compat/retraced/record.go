package retraced

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// recorded is the answer to one event. Clients read id and hash.
type recorded struct {
	ID         string `json:"id"`
	Hash       string `json:"hash"`
	EventID    string `json:"event_id"`
	Seq        int64  `json:"seq"`
	LeafHash   string `json:"leaf_hash"`
	ReceivedAt string `json:"received_at"`
	Duplicate  bool   `json:"duplicate"`
}

// createEvent is POST …/event. It answers after the commit is durable.
func (d *Door) createEvent(w http.ResponseWriter, r *http.Request, body []byte) {
	p, f := d.principal(r, auth.Record)
	if f != nil {
		f.send(w)
		return
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	in, broken, err := decode(doc, body, r.PathValue("project"))
	if err == nil && broken == nil {
		broken = d.admit(p, &in)
	}
	switch {
	case errors.Is(err, errLarge):
		tooLarge.send(w)
	case err != nil:
		unavailable.send(w)
	case len(broken) > 0:
		eventFault(broken).send(w)
	default:
		answers, f := d.record(r, []incoming{in})
		if f != nil {
			f.send(w)
			return
		}
		send(w, http.StatusCreated, encode(answers[0]))
	}
}

// createEvents is POST …/event/bulk. When one event is refused, nothing is recorded.
func (d *Door) createEvents(w http.ResponseWriter, r *http.Request, body []byte) {
	p, f := d.principal(r, auth.Record)
	if f != nil {
		f.send(w)
		return
	}
	events, f := d.decodeBulk(p, body, r.PathValue("project"))
	if f != nil {
		f.send(w)
		return
	}
	answers, f := d.record(r, events)
	if f != nil {
		f.send(w)
		return
	}
	send(w, http.StatusCreated, encode(answers))
}

func (d *Door) decodeBulk(p *auth.Principal, body []byte, project string) ([]incoming, *fault) {
	texts, err := bulkEvents(body)
	switch {
	case err != nil:
		return nil, newFault(http.StatusBadRequest, err.Error())
	case len(texts) > d.Settings.BulkMax:
		return nil, newFault(http.StatusBadRequest,
			fmt.Sprintf("A maximum of %d events may be created at once, received %d", d.Settings.BulkMax, len(texts)))
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	events := make([]incoming, len(texts))
	var refused []invalid
	for i, text := range texts {
		in, broken, err := decode(doc, text, project)
		if err == nil && broken == nil {
			broken = d.admit(p, &in)
		}
		switch {
		case errors.Is(err, errLarge):
			return nil, tooLarge
		case err != nil:
			return nil, unavailable
		case len(broken) > 0:
			refused = append(refused, invalid{
				Message: fmt.Sprintf("Invalid event input at index %d:\n-- %s", i, join(broken, "\n-- ")), Index: i, Violations: broken,
			})
		}
		events[i] = in
	}
	if len(refused) > 0 {
		return nil, bulkFault(refused)
	}
	return events, nil
}

// bulkEvents cuts the body of a bulk request into its events. They are read strictly one by one; what is around them is read here.
func bulkEvents(body []byte) ([]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return nil, wrongJSON(dec, err, `"value" must be of type object`)
	}
	var events []json.RawMessage
	met := false
	for dec.More() {
		token, err := dec.Token()
		switch {
		case err != nil:
			return nil, wrongJSON(dec, err, "")
		case token != "events":
			return nil, fmt.Errorf("%q is not allowed", token)
		case met:
			return nil, fmt.Errorf(`Invalid JSON: duplicate member "events" at byte %d.`, dec.InputOffset()) //nolint:staticcheck // Retraced's words
		}
		met = true
		if events, err = elements(dec); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, wrongJSON(dec, err, "")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, wrongJSON(dec, errors.New("data after the end"), "")
	}
	if len(events) == 0 {
		return nil, errors.New(`"events" must contain at least 1 items`)
	}
	return events, nil
}

func elements(dec *json.Decoder) ([]json.RawMessage, error) {
	if token, err := dec.Token(); err != nil || token != json.Delim('[') {
		return nil, wrongJSON(dec, err, `"events" must be an array`)
	}
	var events []json.RawMessage
	for dec.More() {
		var one json.RawMessage
		if err := dec.Decode(&one); err != nil {
			return nil, wrongJSON(dec, err, "")
		}
		events = append(events, one)
	}
	_, err := dec.Token()
	if err != nil {
		return nil, wrongJSON(dec, err, "")
	}
	return events, nil
}

// wrongJSON says that the text is no JSON, or with a nil err that it is not what it must be.
func wrongJSON(dec *json.Decoder, err error, must string) error {
	if err == nil {
		return errors.New(must)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("Invalid JSON: %w at byte %d.", err, dec.InputOffset()) //nolint:staticcheck // Retraced's words
}

// admit checks that the caller may record e where its group says.
func (d *Door) admit(p *auth.Principal, e *incoming) []violation {
	e.org = p.Org
	if e.org == "" {
		e.org = e.orgOf(d.Settings.Org)
	}
	if !e.org.Valid() || !p.Reaches(e.org) || e.org == control.Instance {
		return []violation{{
			Message: fmt.Sprintf("Invalid value for 'group.id' field: %s: an organization id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ -", shown(string(e.org))),
			Field:   "group.id", Violation: "invalid", Received: e.org,
		}}
	}
	return nil
}

// record records the events, each organization's in one commit, and answers in their order. An Idempotency-Key holds for each
// organization's part. When one organization's part fails after another's was recorded, the same request with the same key completes
// what is missing.
func (d *Door) record(r *http.Request, events []incoming) ([]recorded, *fault) {
	ctx := r.Context()
	var orgs []daybook.OrgID
	places := map[daybook.OrgID][]int{}
	for i := range events {
		org := events[i].org
		if places[org] == nil {
			orgs = append(orgs, org)
		}
		places[org] = append(places[org], i)
	}
	for _, org := range orgs {
		if err := d.Orgs.Ensure(ctx, org); err != nil {
			return nil, unavailable
		}
	}
	answers := make([]recorded, len(events))
	for _, org := range orgs {
		if f := d.recordIn(ctx, org, r.Header.Get("Idempotency-Key"), events, places[org], answers); f != nil {
			return nil, f
		}
	}
	return answers, nil
}

// recordIn records the events at the places given.
func (d *Door) recordIn(ctx context.Context, org daybook.OrgID, key string, events []incoming, places []int, answers []recorded) *fault {
	request := daybook.Request{Door: name, Key: key}
	for _, i := range places {
		request.Events = append(request.Events, events[i].text)
	}
	result, err := d.Book.RecordJSON(ctx, org, request)
	if err != nil {
		return recordFault(err)
	}
	for n, i := range places {
		rc := &result.Receipts[n]
		id := eventID(rc.ID)
		answers[i] = recorded{
			ID: id, Hash: events[i].Hash(id), EventID: rc.ID.String(), Seq: rc.Seq, LeafHash: base64.StdEncoding.EncodeToString(rc.LeafHash[:]),
			ReceivedAt: string(daybook.AppendTime(nil, rc.ReceivedAt.UnixMicro())), Duplicate: rc.Duplicate,
		}
	}
	return nil
}
