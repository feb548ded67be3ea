package api

// The types of this file are never filled: they are what the document says about JSON that is written and read byte by byte.

// event is what a producer records.
type event struct {
	ID            *string        `json:"id,omitempty" nullable:"true" pattern:"^evt_[0-7][0-9a-hjkmnp-tv-z]{25}$" doc:"A UUIDv7 as a TypeID. Left out: the server makes one. The same id again is the same event." example:"evt_01m7z7rs1affyad5cmxxj94a79"`
	Action        string         `json:"action" minLength:"1" maxLength:"512" doc:"What was done: noun.verb in the past tense." example:"invoice.updated"`
	Version       *int           `json:"version,omitempty" nullable:"true" minimum:"1" doc:"Of the action's schema." example:"3"`
	OccurredAt    *string        `json:"occurred_at,omitempty" nullable:"true" format:"date-time" doc:"When it happened. Left out: when it was received." example:"2026-11-21T14:22:07.318Z"`
	Actor         actor          `json:"actor" doc:"Who did it."`
	Targets       []target       `json:"targets,omitempty" maxItems:"256" doc:"What it was done to; the first is the subject."`
	Context       *origin        `json:"context,omitempty" doc:"Where from."`
	Outcome       *string        `json:"outcome,omitempty" nullable:"true" enum:"success,failure,denied" doc:"How it ended. Left out: success." example:"failure"`
	Error         *eventFault    `json:"error,omitempty" doc:"With failure and denied: why."`
	Changes       []change       `json:"changes,omitempty" maxItems:"1000" doc:"What changed. Instead of it: before and after."`
	Before        any            `json:"before,omitempty" doc:"Any JSON. With after it becomes changes, and is not kept itself."`
	After         any            `json:"after,omitempty" doc:"Any JSON. See before."`
	Reason        *string        `json:"reason,omitempty" nullable:"true" doc:"Why: free text or a ticket." example:"PO 7781"`
	CorrelationID *string        `json:"correlation_id,omitempty" nullable:"true" doc:"Joins events of one piece of work." example:"job_9"`
	Metadata      map[string]any `json:"metadata,omitempty" doc:"Free data."`
}

type actor struct {
	Type     string         `json:"type" minLength:"1" maxLength:"512" example:"user"`
	ID       string         `json:"id" minLength:"1" maxLength:"512" example:"usr_7"`
	Name     *string        `json:"name,omitempty" nullable:"true" example:"Grace Hopper"`
	Email    *string        `json:"email,omitempty" nullable:"true" example:"grace@acme.com"`
	Metadata map[string]any `json:"metadata,omitempty" doc:"Free data."`
	Via      []via          `json:"via,omitempty" maxItems:"16" doc:"Who really acted when the actor is impersonated or acted for; nearest first."`
}

type via struct {
	Type     string         `json:"type" minLength:"1" maxLength:"512" example:"user"`
	ID       string         `json:"id" minLength:"1" maxLength:"512" example:"usr_1"`
	Name     *string        `json:"name,omitempty" nullable:"true" example:"Ada Byron"`
	Email    *string        `json:"email,omitempty" nullable:"true"`
	Metadata map[string]any `json:"metadata,omitempty" doc:"Free data."`
}

type target struct {
	Type     string         `json:"type" minLength:"1" maxLength:"512" example:"invoice"`
	ID       string         `json:"id" minLength:"1" maxLength:"512" example:"42"`
	Name     *string        `json:"name,omitempty" nullable:"true" example:"Invoice 42"`
	Metadata map[string]any `json:"metadata,omitempty" doc:"Free data."`
}

// origin is the member context.
type origin struct {
	IP        *string     `json:"ip,omitempty" nullable:"true" doc:"Kept as given, an address or not." example:"203.0.113.9"`
	Location  *string     `json:"location,omitempty" nullable:"true" doc:"Another name for ip."`
	UserAgent *string     `json:"user_agent,omitempty" nullable:"true" example:"Firefox/149.0"`
	RequestID *string     `json:"request_id,omitempty" nullable:"true" example:"req_5"`
	TraceID   *string     `json:"trace_id,omitempty" nullable:"true"`
	SessionID *string     `json:"session_id,omitempty" nullable:"true"`
	HTTP      *httpOrigin `json:"http,omitempty" doc:"The request that caused the event."`
}

type httpOrigin struct {
	Method     *string `json:"method,omitempty" nullable:"true" example:"PUT"`
	Route      *string `json:"route,omitempty" nullable:"true" example:"/invoices/{id}"`
	Path       *string `json:"path,omitempty" nullable:"true" example:"/invoices/42"`
	StatusCode *int    `json:"status_code,omitempty" nullable:"true" example:"200"`
	Params     any     `json:"params,omitempty" doc:"Free data."`
	Request    any     `json:"request,omitempty" doc:"Free data."`
	Response   any     `json:"response,omitempty" doc:"Free data."`
}

type eventFault struct {
	Code    *string `json:"code,omitempty" nullable:"true" example:"limit"`
	Message *string `json:"message,omitempty" nullable:"true" example:"over the limit"`
}

type change struct {
	Path string `json:"path" doc:"JSON pointer (RFC 6901)." example:"/amount"`
	Old  any    `json:"old,omitempty" doc:"Left out: it was added."`
	New  any    `json:"new,omitempty" doc:"Left out: it was removed."`
}

// receipt says where an event stands.
type receipt struct {
	ID         string `json:"id" example:"evt_01m7z7rs1affyad5cmxxj94a79"`
	Seq        int64  `json:"seq" doc:"0-based position in the log of the organization." example:"48190"`
	LeafHash   string `json:"leaf_hash" doc:"SHA-256, base64: what stands in the Merkle tree." example:"DWs3Fgpci0003POYBQd4v0T7zttUWOX+0XKL25CeDmQ="`
	ReceivedAt string `json:"received_at" format:"date-time" example:"2026-11-21T14:22:07.402118Z"`
	Duplicate  bool   `json:"duplicate" doc:"Recorded before: this is the receipt of that time."`
}

type receiptList struct {
	Receipts []*receipt     `json:"receipts" nullable:"false" doc:"In the order sent."`
	Errors   []eventProblem `json:"errors,omitempty" nullable:"false" doc:"With partial=true: what was refused; its place in receipts is null."`
}

// entry is an event as it stands in the log: the recorded members as they were sent, with those of the log in front.
type entry struct {
	_          struct{} `additionalProperties:"true"`
	Org        string   `json:"org" example:"org_acme"`
	Seq        int64    `json:"seq" doc:"0-based position in the log." example:"48190"`
	ID         string   `json:"id" example:"evt_01m7z7rs1affyad5cmxxj94a79"`
	ReceivedAt string   `json:"received_at" format:"date-time" example:"2026-11-21T14:22:07.402118Z"`
	LeafHash   string   `json:"leaf_hash" doc:"SHA-256, base64." example:"DWs3Fgpci0003POYBQd4v0T7zttUWOX+0XKL25CeDmQ="`
	OccurredAt string   `json:"occurred_at,omitempty" format:"date-time" doc:"As sent; that of received_at when the producer sent none."`
	Held       bool     `json:"held,omitempty" doc:"true: a hold keeps the entry. There only in a list of entries, and only then."`
	Erased     []string `json:"erased_fields,omitempty" doc:"JSON pointers of the fields that were erased, as far as their names were kept; there only if some were." example:"[\"/actor/email\"]"`
	Flags      []string `json:"flags,omitempty" doc:"What was found wrong when it was recorded: schema_violation, schema_missing. There only if something was." example:"[\"schema_violation\"]"`
	Removed    string   `json:"removed,omitempty" enum:"erased,retention,left_out" doc:"Nothing of the entry is left but its place, id, time and leaf hash: it was erased, or its time had passed. Retention may have left neither id nor time, or not even the hash. left_out: the log has it, the file that is shown has not."`
	Op         string   `json:"op,omitempty" doc:"Of an entry that the log itself made: erase, prune, hold, key, epoch. Its further members: docs/reference/integrity.md." example:"hold"`
	By         any      `json:"by,omitempty" doc:"With removed: the erasure, or the rule of retention. With op: who is responsible, by type and id."`
	Action     string   `json:"action,omitempty" doc:"This and every further member are those that were recorded." example:"invoice.updated"`
}

type entryList struct {
	Entries    []entry  `json:"entries" nullable:"false"`
	Sentences  []string `json:"sentences,omitempty" nullable:"false" doc:"With sentences=true: what each entry says, in the order of entries. Empty: nothing of the entry is left, or the log itself made it."`
	NextCursor *string  `json:"next_cursor" doc:"For the next page; null at the end."`
	Size       int64    `json:"size" doc:"Number of entries that the pages look at: later ones are on none of them."`
	Query      string   `json:"query" doc:"The normal form of q."`
	From       *string  `json:"from" format:"date-time" doc:"The bound asked for, resolved; null when open."`
	To         *string  `json:"to" format:"date-time"`
	Searched   searched `json:"searched" doc:"What was looked through for this answer."`
}

type searched struct {
	From     string `json:"from" format:"date-time"`
	To       string `json:"to" format:"date-time"`
	Days     int    `json:"days" doc:"Days looked through."`
	OfDays   int    `json:"of_days" doc:"Days asked for."`
	Blocks   int    `json:"blocks" doc:"Blocks unpacked."`
	Complete bool   `json:"complete" doc:"false: a limit ended the search, and next_cursor goes on; or something is damaged and left out."`
	Reason   string `json:"reason,omitempty" doc:"Which limit; damaged: no limit, but damaged is there." example:"time limit"`

	Damaged []damage `json:"damaged,omitempty" doc:"What could not be read, because what is stored of it contradicts itself. Entries that were asked for may be in it."`
}

type histogram struct {
	Interval string   `json:"interval" enum:"1m,5m,15m,1h,3h,1d,1w,1mo,1y" doc:"The width of a bar."`
	Bars     []bar    `json:"bars" nullable:"false" doc:"Oldest first; empty ones are there."`
	Searched searched `json:"searched"`
}

type bar struct {
	From    string `json:"from" format:"date-time"`
	Total   int64  `json:"total"`
	Failure int64  `json:"failure"`
	Denied  int64  `json:"denied"`
}

type facets struct {
	Count    count            `json:"count"`
	Facets   map[string]facet `json:"facets"`
	Searched searched         `json:"searched"`
}

type count struct {
	Value int64 `json:"value"`
	Exact bool  `json:"exact" doc:"false: there are at least so many."`
}

type facet struct {
	Values []facetValue `json:"values" nullable:"false" doc:"The commonest first."`
	Other  int64        `json:"other" doc:"Entries with other values."`
}

type facetValue struct {
	Value  string `json:"value"`
	Count  int64  `json:"count"`
	Excess int64  `json:"excess" doc:"The count may be too high by this much."`
	Name   string `json:"name,omitempty" doc:"Of actor.id, with names: what the newest of these entries which names the actor calls it. Absent: none was found."`
}
