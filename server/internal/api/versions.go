package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
)

// version is a state of a thing after an event.
type version struct {
	Version    int         `json:"version" doc:"From 1: the first that is in the log." example:"7"`
	ID         string      `json:"id" doc:"Of the event." example:"evt_01m7z7rs1affyad5cmxxj94a79"`
	Seq        int64       `json:"seq" example:"48190"`
	Action     string      `json:"action" example:"invoice.updated"`
	OccurredAt stamp       `json:"occurred_at" format:"date-time"`
	Actor      versionedBy `json:"actor"`
	Changes    int         `json:"changes" doc:"How many changes the event has."`
	Snapshot   bool        `json:"snapshot" doc:"The event holds the whole state."`
	Deleted    bool        `json:"deleted" doc:"The thing was deleted by it; the state is the last one it had."`
	Exact      bool        `json:"exact" doc:"The state is known whole: it begins with the creation or with a snapshot, and nothing in between is missing."`

	state json.RawMessage
}

type versionedBy struct {
	Type string `json:"type" example:"user"`
	ID   string `json:"id" example:"usr_7"`
	Name string `json:"name,omitempty" example:"Grace Hopper"`
}

// versionList is the versions of a thing, and what two of them differ in.
type versionList struct {
	Versions []version `json:"versions" nullable:"false" doc:"Newest first."`
	Exact    bool      `json:"exact" doc:"The history is whole: it begins with the creation, and each event begins where the one before has ended."`
	Reason   string    `json:"reason,omitempty" enum:"no_creation,gap,erased,too_many,left_out" doc:"Why it is not. no_creation: the log does not hold how it began, because retention has removed that or nobody recorded it. gap: an event between two others is missing. erased: an erasure has taken values. too_many: there are more than 2,000; these are the first. left_out: of a file from which something was left out."`
	Compared *compared `json:"compared,omitempty" doc:"With a and b: what they differ in."`
}

type compared struct {
	A       int        `json:"a" example:"5"`
	B       int        `json:"b" example:"7"`
	Changes changeList `json:"changes" doc:"What makes b of a."`
}

// versionState is one version with the state.
type versionState struct {
	Version version         `json:"version"`
	State   json.RawMessage `json:"state" doc:"What is known of it."`
	Masked  []string        `json:"masked" nullable:"false" doc:"JSON pointers of values that were masked or hashed when they were recorded."`
}

// restorePlan is what a restore would change now.
type restorePlan struct {
	Version int             `json:"version" doc:"Whose state would be restored." example:"5"`
	Current int             `json:"current" doc:"The newest version, from which the changes lead back." example:"7"`
	Changes changeList      `json:"changes"`
	State   json.RawMessage `json:"state" doc:"What the application has to apply."`
	Masked  []string        `json:"masked" nullable:"false" doc:"JSON pointers of values that are not known: the application must supply them."`
	Exact   bool            `json:"exact" doc:"false: parts of the state are not known."`
	Event   json.RawMessage `json:"event" doc:"What to record once it is applied, with POST /v1/events. The actor is the recorder's to add."`
}

var (
	paramA = param{"a", "A version to compare.", number(1, maxVersions, 0)}
	paramB = param{"b", "Another; both or none.", number(1, maxVersions, 0)}

	pathVersionOf = []param{pathType, pathID, {"version", "Its number.", text}}

	aboutListVersions = operation{
		id: "listVersions", tag: "Search", summary: "Versions of a target", path: []param{pathType, pathID},
		text:    "What the changes and snapshots of its events say that it was, one version an event. With `a` and `b` also what two of them differ in.",
		answers: ok(versionList{}, "The versions."),
	}
	aboutGetVersion     = operation{id: "getVersion", tag: "Search", summary: "One version of a target", path: pathVersionOf, answers: ok(versionState{}, "The version and its state."), faults: []int{404}}
	aboutGetRestorePlan = operation{
		id: "getRestorePlan", tag: "Search", summary: "What restoring a version would change", path: pathVersionOf,
		text:    "Nothing is restored: the application applies the state, and records the event that stands in the plan.",
		answers: ok(restorePlan{}, "The plan."), faults: []int{404, 409},
	}
)

const maxVersions = 2000

// tooMany is the reason when there are more.
const tooMany = "too_many"

// history is what the log says of a thing.
type history struct {
	versions []version // oldest first
	reason   string
}

// readHistory reads the events of the target that the path names, oldest first, and keeps the state after each of the first 2,000: what is newer is not known
// then, and the reason says so.
func (c *call) readHistory() (*history, error) {
	h := &history{}
	within := c.within(query.Target(c.r.PathValue("type"), c.r.PathValue("id")))
	c.seen = seen{asked: true, within: within}
	q := daybook.EventQuery{Org: c.org, Within: within, Asc: true, Limit: maxLimit}
	var s state
	for known := false; ; {
		page, err := c.s.Book.Search(c.r.Context(), q)
		if err != nil {
			return nil, err
		}
		c.seen.showed(page.Entries...)
		for i := range page.Entries {
			if known, err = h.add(&s, &page.Entries[i], known); err != nil {
				return nil, err
			}
		}
		if page.NextCursor == "" {
			if o := c.s.Offline; o != nil && (o.Filtered || len(o.Mask) > 0) {
				h.because("left_out")
			}
			return h, nil
		}
		if len(h.versions) >= maxVersions {
			h.reason = tooMany
			return h, nil
		}
		q = daybook.EventQuery{Org: c.org, Within: within, Limit: maxLimit, Cursor: page.NextCursor}
	}
}

// add adds the version after an entry, if it has one. known says whether the state is whole; so does what is returned.
func (h *history) add(s *state, e *daybook.Entry, known bool) (bool, error) {
	ev, err := e.Event()
	if err != nil {
		return known, err
	}
	snapshot := snapshotOf(ev.Metadata)
	deleted := strings.HasSuffix(ev.Action, ".deleted")
	if snapshot == nil && len(ev.Changes) == 0 && !deleted || len(h.versions) >= maxVersions || strings.HasPrefix(ev.Action, "daybook.") {
		return known, nil
	}
	first := len(h.versions) == 0
	gone := !first && h.versions[len(h.versions)-1].Deleted
	creates := (first || gone) && len(ev.Changes) > 0
	for _, change := range ev.Changes {
		creates = creates && (!change.Old.Present() || change.Path == "" && string(change.Old.Raw()) == "null")
	}
	switch {
	case snapshot != nil:
		s.value, known = decoded(snapshot), true
	case deleted: // what the event says has gone is the last state
	default:
		s.disagrees = false
		if gone && creates { // again, from nothing
			s.value = nil
		}
		s.apply(ev.Changes)
		// What a restore of a state that is not whole has brought back is not whole either.
		whole := creates && (first || strings.HasSuffix(ev.Action, ".created"))
		known = (known || whole) && (!s.disagrees || creates)
	}
	switch {
	case e.Erased > 0:
		known = known && snapshot != nil
		h.because("erased")
	case first && !creates:
		h.because("no_creation")
	case s.disagrees && !first && snapshot == nil:
		h.because("gap")
	}
	h.versions = append(h.versions, version{
		Version: len(h.versions) + 1, ID: e.ID.String(), Seq: e.Seq, Action: ev.Action, OccurredAt: newStamp(ev.OccurredAt),
		Actor: versionedBy{ev.Actor.Type, ev.Actor.ID, ev.Actor.Name}, Changes: len(ev.Changes), Snapshot: snapshot != nil, Deleted: deleted, Exact: known, state: s.raw(),
	})
	return known, nil
}

// because notes the first reason why the history is not whole.
func (h *history) because(reason string) {
	if h.reason == "" {
		h.reason = reason
	}
}

// at returns version n, or errNotFound.
func (h *history) at(n int64) (*version, error) {
	if n < 1 || n > int64(len(h.versions)) {
		return nil, errNotFound
	}
	return &h.versions[n-1], nil
}

// snapshotOf returns the whole state that an event holds; nil: none.
func snapshotOf(metadata json.RawMessage) json.RawMessage {
	var m struct {
		Togo struct {
			Kind     string
			Snapshot json.RawMessage
		}
	}
	if len(metadata) == 0 || json.Unmarshal(metadata, &m) != nil || m.Togo.Kind != "snapshot" {
		return nil
	}
	return m.Togo.Snapshot
}

func listVersions(c *call) error {
	h, err := c.readHistory()
	if err != nil {
		return err
	}
	list := versionList{Versions: []version{}, Exact: h.reason == "" && len(h.versions) > 0, Reason: h.reason}
	if len(h.versions) == 0 {
		list.Reason = "no_creation"
	}
	for _, v := range slices.Backward(h.versions) {
		list.Versions = append(list.Versions, v)
	}
	if c.given(paramA) != c.given(paramB) {
		return invalid("required", paramA.name, "a and b are two versions to compare: give both, or none.")
	}
	if c.given(paramA) {
		if list.Compared, err = c.compare(h); err != nil {
			return err
		}
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func (c *call) compare(h *history) (*compared, error) {
	a, err := c.whole(paramA)
	if err != nil {
		return nil, err
	}
	b, err := c.whole(paramB)
	if err != nil {
		return nil, err
	}
	from, err := h.at(a)
	if err != nil {
		return nil, err
	}
	to, err := h.at(b)
	if err != nil {
		return nil, err
	}
	changes, err := difference(from.state, to.state)
	return &compared{int(a), int(b), changes}, err
}

// changeList is changes as the document describes those of an event.
type changeList daybook.Changes

// Schema is part of huma.SchemaProvider.
func (changeList) Schema(huma.Registry) *huma.Schema {
	value := func(doc string) *huma.Schema {
		return &huma.Schema{Description: doc, AnyOf: []*huma.Schema{{Type: "null"}, {}}}
	}
	return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{
		Type: huma.TypeObject, Required: []string{"path"},
		Properties: map[string]*huma.Schema{
			"path": {Type: huma.TypeString, Description: "JSON pointer (RFC 6901)."}, "old": value("Left out: it was added."), "new": value("Left out: it was removed."),
		},
	}}
}

func difference(from, to json.RawMessage) (changeList, error) {
	changes, err := daybook.DiffJSON(from, to, daybook.DiffOptions{})
	if changes == nil {
		changes = daybook.Changes{}
	}
	return changeList(changes), err
}

// versionOfPath returns the history and the version that the path names.
func (c *call) versionOfPath() (*history, *version, error) {
	n, err := strconv.ParseInt(c.r.PathValue("version"), 10, 32)
	if err != nil {
		return nil, nil, errNotFound
	}
	h, err := c.readHistory()
	if err != nil {
		return nil, nil, err
	}
	v, err := h.at(n)
	return h, v, err
}

func getVersion(c *call) error {
	_, v, err := c.versionOfPath()
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(versionState{*v, v.state, append([]string{}, masked(decoded(v.state), "")...)}))
	return nil
}

func getRestorePlan(c *call) error {
	h, v, err := c.versionOfPath()
	if err != nil {
		return err
	}
	if h.reason == tooMany { // what it is now is not among them
		return &daybook.Error{
			Code: daybook.CodeConflict, Rule: "too_many",
			Message: "this target has more than 2,000 versions: what would change now cannot be told. GET …/versions/N has the state to restore.",
		}
	}
	now := &h.versions[len(h.versions)-1]
	from := now.state
	if now.Deleted { // its last state is no more: all of it comes back
		from = json.RawMessage("null")
		if bytes.HasPrefix(v.state, []byte("{")) {
			from = json.RawMessage("{}")
		}
	}
	changes, err := difference(from, v.state)
	if err != nil {
		return err
	}
	typ, id := c.r.PathValue("type"), c.r.PathValue("id")
	event := marshal(struct {
		Action   string           `json:"action"`
		Targets  []daybook.Target `json:"targets"`
		Changes  changeList       `json:"changes"`
		Metadata map[string]any   `json:"metadata"`
	}{typ + ".restored", []daybook.Target{{Type: typ, ID: id}}, changes, map[string]any{"restored_from": v.Version, "restored_event": v.ID}})
	c.send(http.StatusOK, jsonType, marshal(restorePlan{
		Version: v.Version, Current: now.Version, Changes: changes, State: v.state, Masked: append([]string{}, masked(decoded(v.state), "")...), Exact: v.Exact, Event: event,
	}))
	return nil
}
