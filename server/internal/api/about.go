package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// operation is what the document says about a route, beside what its row in the table already says.
type operation struct {
	id, tag, summary, text string
	path, headers          []param
	request                []content
	answers                []answer
	faults                 []int // beside those that every route of its kind has
}

// content is one media type of a body; shape is a value of the type that describes it, nil: no schema.
type content struct {
	media string
	shape any
}

type answer struct {
	status int
	text   string
	body   content
}

const (
	mediaJSON   = "application/json"
	mediaNDJSON = "application/x-ndjson"
)

func ok(shape any, text string) []answer {
	return []answer{{http.StatusOK, text, content{mediaJSON, shape}}}
}

func created(shape any, text string) []answer {
	return []answer{{http.StatusCreated, text, content{mediaJSON, shape}}}
}

func note(text string) []answer {
	return []answer{{http.StatusOK, text, content{"text/plain", ""}}}
}

var (
	pathEpoch  = param{"epoch", "Of the log: 0 for the first, one more for each that began after a rollback.", text}
	pathOrg    = param{"org", "The organization. A key for one reaches no other.", text}
	pathType   = param{"type", "Type, percent-encoded (also `/` as `%2F`).", text}
	pathExport = param{"id", "The export's id, `exp_…`.", text}
	pathID     = param{"id", "Id, percent-encoded (also `/` as `%2F`).", text}
)

// The tags, in the order of the reference page.
var tags = []*huma.Tag{
	{Name: "Record", Description: "An event is acknowledged when it is durable: a receipt means that it survives a power cut."},
	{Name: "Search", Description: "Every answer says what was looked through. Pages keep the size of the log as it was at the first one."},
	{Name: tagViews, Description: "Searches with a name, for the console."},
	{Name: tagSchemas, Description: "What events of an action must look like. Versions are never changed; an entry says which one it keeps to."},
	{Name: "Log", Description: "Checkpoints, tiles and proofs (C2SP tlog-checkpoint, tlog-tiles, tlog-proof; RFC 6962). What they say does not depend on who carries it."},
	{Name: "Keeping and removing", Description: "Everything that is removed was named by a control entry in the log before: proofs of what stays hold, and say what went."},
	{Name: "CRM", Description: "The audit log of a CRM: numbered actions and entity types, the record before and after, what differs, and who did it in whose name. Read-only for everybody."},
	{Name: "Export", Description: "Parts of the log as files, written in the background. An export is a consistent cut: what is recorded after it was made is not in it."},
	{Name: "Organizations and keys", Description: "Who may do what."},
	{Name: tagViewer, Description: "How a product shows its customers their own log: tokens for the viewer element, and the pages that may hold it."},
	{Name: tagSessions, Description: "How people sign in to the console: a cookie in place of an API key."},
	{Name: "Instance", Description: "Health, figures, backup, and this document."},
}

var (
	aboutCreateEvents = operation{
		id: "createEvents", tag: "Record", summary: "Record events",
		text: "The body is one event, an array of events, or NDJSON with one event a line; it may be compressed with gzip or zstd. " +
			"An array or NDJSON is recorded in one commit: all of it or nothing, or with `partial=true` the good events alone.\n\n" +
			"Repeating a request is safe with an `Idempotency-Key`, or with ids in the events: what was recorded before answers with its first " +
			"receipts and `duplicate:true`.",
		headers: []param{{"Idempotency-Key", "1 to 255 bytes. The same key with other content is 409 `key_conflict`.", text}},
		request: []content{{mediaJSON, eventOrEvents{}}, {mediaNDJSON, nil}},
		answers: []answer{
			{http.StatusCreated, "Recorded, and durable.", content{mediaJSON, receiptOrReceipts{}}},
			{http.StatusOK, "All of it had been recorded before; or `partial=true`.", content{mediaJSON, receiptOrReceipts{}}},
		},
		faults: []int{400, 408, 409, 413, 415, 503, 507},
	}
	aboutListEvents = operation{
		id: "listEvents", tag: "Search", summary: "Search", text: "Newest first, unless `asc=true`.",
		answers: ok(entryList{}, "One page."),
	}
	aboutTailEvents = operation{
		id: "tailEvents", tag: "Search", summary: "Follow live",
		text: "Server-sent events: `entry` for each entry, with its seq as the id, and `position` for how far the log was read, at most every " +
			"5 s. A comment comes every 15 s. Nothing is skipped: reconnect with `Last-Event-ID`.",
		headers: []param{{"Last-Event-ID", "The seq of the last event received: the tail goes on after it.", text}},
		answers: []answer{{http.StatusOK, "The stream.", content{"text/event-stream", ""}}},
	}
	aboutGetEvent = operation{
		id: "getEvent", tag: "Search", summary: "Get one entry", path: []param{{"id", "The event's id.", text}},
		answers: ok(entry{}, "The entry."), faults: []int{404},
	}
	aboutListTargetEvents = operation{
		id: "listTargetEvents", tag: "Search", summary: "History of a target", text: "All that happened to one thing: type and id of one target.",
		path: []param{pathType, pathID}, answers: ok(entryList{}, "One page."),
	}
	aboutListActorEvents = operation{
		id: "listActorEvents", tag: "Search", summary: "History of an actor", text: "All that one did: as the actor, or as one of its `via`.",
		path: []param{pathType, pathID}, answers: ok(entryList{}, "One page."),
	}
	aboutGetHistogram = operation{
		id: "getHistogram", tag: "Search", summary: "Count by time", text: "By occurred_at. The interval is the smallest that needs no more than `bars`.",
		answers: ok(histogram{}, "The bars."),
	}
	aboutGetFacets = operation{
		id: "getFacets", tag: "Search", summary: "Count by value", answers: ok(facets{}, "The count, and the commonest values."),
	}
	aboutGetCheckpoint = operation{
		id: "getCheckpoint", tag: "Log", summary: "Get the newest checkpoint", text: "A signed note: origin, size, root. It covers every entry that was recorded before the request.",
		path: []param{pathOrg}, answers: note("The note."), faults: []int{503},
	}
	aboutListCheckpoints = operation{
		id: "listCheckpoints", tag: "Log", summary: "List a log's checkpoints", text: "Those that are stored, newest first. It signs nothing.",
		path: []param{pathOrg}, answers: ok(checkpointList{}, "A page of them."), faults: []int{503},
	}
	aboutGetCheckpointAt = operation{
		id: "getCheckpointAt", tag: "Log", summary: "Get a checkpoint by size", text: "One that was signed before, of exactly this size.",
		path: []param{pathOrg, {"size", "The size of its tree.", text}}, answers: note("The note."), faults: []int{503},
	}
	aboutGetTile = operation{
		id: "getTile", tag: "Log", summary: "Get a tile or an entry bundle",
		text: "C2SP tlog-tiles. `<L>/<N>` is 256 hashes of level L, `entries/<N>` 256 leaves, each 70 bytes after their number in two; with `.p/<W>` the first W of " +
			"them. N stands in groups of three digits, all but the last with `x` in front: 1234067 is `x001/x234/067`. An entry bundle holds no payload, so it outlives " +
			"erasure. Nothing reaches beyond the newest checkpoint.",
		path:    []param{pathOrg, {"path", "What follows `tile/`. Its slashes stand as they are.", text}},
		answers: []answer{{http.StatusOK, "Hashes of 32 bytes each, or leaves.", content{"application/octet-stream", nil}}}, faults: []int{410, 503},
	}
	aboutGetInclusion = operation{
		id: "getInclusion", tag: "Log", summary: "Prove that an entry is in the log", path: []param{pathOrg}, answers: ok(inclusion{}, "The proof."), faults: []int{410, 503},
	}
	aboutGetConsistency = operation{
		id: "getConsistency", tag: "Log", summary: "Prove that the log only grew", text: "That the tree of size `from` is the beginning of the tree of size `to`.",
		path: []param{pathOrg}, answers: ok(consistency{}, "The proof."), faults: []int{410, 503},
	}
	aboutGetProof = operation{
		id: "getProof", tag: "Log", summary: "Download the proof of an event",
		text: "One file, to be checked offline with the log's verifier key: C2SP tlog-proof v1 over the newest checkpoint, with the entry's leaf as `extra`.",
		path: []param{pathOrg, {"file", "The event's id and `.tlog-proof`.", text}}, answers: note("The file."), faults: []int{503},
	}
	aboutGetBundle = operation{
		id: "getBundle", tag: "Log", summary: "Download an evidence bundle",
		text: "`daybook-bundle/v1`: every entry of the range with what proves it, to be checked offline with the log's verifier key. It is whole if its last line is the " +
			"footer. A range of which something was removed after the checkpoint of `size` is a conflict: ask again without `size`. With `q` the other entries are " +
			"their hashes, so that completeness of the selection is not proved, and the bundle says so.",
		path: []param{pathOrg}, answers: []answer{{http.StatusOK, "The bundle, one JSON object a line.", content{"application/x-ndjson", nil}}}, faults: []int{409, 410, 503},
	}
	aboutGetEvidence = operation{
		id: "getEvidence", tag: "Log", summary: "Prove up to 1,000 entries",
		text: "An evidence bundle of few entries for who may read them: a page checks with it what it shows. It is what `bundle` answers for the same range.",
		path: []param{pathOrg}, answers: []answer{{http.StatusOK, "The bundle, one JSON object a line.", content{"application/x-ndjson", nil}}}, faults: []int{409, 410, 503},
	}
	aboutGetLogInfo = operation{
		id: "getLogInfo", tag: "Log", summary: "Get a log's keys and sizes", path: []param{pathOrg}, answers: ok(logInfo{}, "How it stands."),
	}
	aboutRotateKey = operation{
		id: "rotateKey", tag: "Log", summary: "Add the next key",
		text: "From now on every checkpoint is signed by both keys, for 30 days; then the older one is retired by itself. Tell the readers the new key by another " +
			"way than this. A second time meanwhile is a conflict.",
		path: []param{pathOrg}, answers: created(vkeyRow{}, "The new key; a control entry in the log says so."), faults: []int{409, 503, 507},
	}
	aboutCreateExport = operation{
		id: "createExport", tag: "Export", summary: "Begin an export",
		text: "Oldest entry first. `csv` and `parquet` have a column for every member of an event, `ndjson` is the entries as every answer has them. " +
			"Ask for the export until its `state` is `ready`; then fetch its `url`.",
		request: []content{{mediaJSON, newExport{}}}, answers: created(exported{}, "It waits for its turn."), faults: []int{400, 409, 413, 415},
	}
	aboutListExports = operation{
		id: "listExports", tag: "Export", summary: "List exports", answers: ok(exportList{}, "One page."),
	}
	aboutGetExport = operation{
		id: "getExport", tag: "Export", summary: "Get an export", path: []param{pathExport}, answers: ok(exported{}, "The export, with a fresh address of its file."), faults: []int{404},
	}
	aboutCancelExport = operation{
		id: "cancelExport", tag: "Export", summary: "Cancel an export, or delete its file",
		text: "One that is under way ends; the file of one that is ready is deleted. A second time changes nothing.",
		path: []param{pathExport}, answers: ok(exported{}, "As it is now."), faults: []int{404},
	}
	aboutGetExportFile = operation{
		id: "getExportFile", tag: "Export", summary: "Fetch the file of an export",
		text: "This is the `url` of an export: it needs no key and holds for ten minutes. `Range` fetches a part, `ETag` is the SHA-256.",
		path: []param{pathExport},
		answers: []answer{
			{http.StatusOK, "The file.", content{"*/*", nil}},
			{http.StatusPartialContent, "The part asked for.", content{"*/*", nil}},
			{status: http.StatusNotModified, text: "It is what `If-None-Match` names."},
		},
		faults: []int{403, 404, 410, 416},
	}
	aboutCreateOrg = operation{
		id: "createOrganization", tag: "Organizations and keys", summary: "Create an organization",
		request: []content{{mediaJSON, newOrganization{}}}, answers: created(organization{}, "Created."), faults: []int{400, 403, 409, 413, 415},
	}
	aboutListOrgs = operation{
		id: "listOrganizations", tag: "Organizations and keys", summary: "List organizations", text: "A key of one organization sees its own.",
		answers: ok(organizationList{}, "One page."),
	}
	aboutGetOrg = operation{
		id: "getOrganization", tag: "Organizations and keys", summary: "Get an organization", path: []param{{"org", "Its id.", text}},
		answers: ok(organization{}, "The organization."), faults: []int{404},
	}
	aboutCreateKey = operation{
		id: "createKey", tag: "Organizations and keys", summary: "Create a key",
		text: "With `manage` for the own organization and every scope but `operate`; else with `operate`. A key with `operate` is for all " +
			"organizations. It stands in the log as `daybook.key.created` before it is made; when the log takes nothing, it is not made.",
		request: []content{{mediaJSON, newKey{}}}, answers: created(createdKey{}, "Created. The key is shown this once."), faults: []int{400, 404, 413, 415, 503, 507},
	}
	aboutListKeys = operation{
		id: "listKeys", tag: "Organizations and keys", summary: "List keys", text: "Never the keys themselves. With `Daybook-Org`: those that reach the organization, its own and, for who has `operate`, those for all.",
		headers: []param{headerOrg}, answers: ok(keyList{}, "One page."), faults: []int{404},
	}
	aboutRevokeKey = operation{
		id: "revokeKey", tag: "Organizations and keys", summary: "Revoke a key", text: "For good. A second time changes nothing.",
		path: []param{{"id", "The key's id, `key_…`.", text}}, answers: []answer{{status: http.StatusNoContent, text: "Revoked."}}, faults: []int{404},
	}
	aboutWhoami = operation{
		id: "whoami", tag: "Organizations and keys", summary: "Show the key asked with", answers: ok(identity{}, "The key, and the version of the server."),
	}
	aboutGetBackup = operation{
		id: "getBackup", tag: "Instance", summary: "Download a backup", text: "A consistent copy of the SQLite store.",
		answers: []answer{{http.StatusOK, "The copy.", content{"application/octet-stream", nil}}}, faults: []int{501, 503, 507},
	}
	aboutGetMetrics = operation{
		id: "getMetrics", tag: "Instance", summary: "Figures for Prometheus",
		answers: []answer{{http.StatusOK, "The figures.", content{"text/plain", ""}}}, faults: []int{404},
	}
	aboutGetHealth = operation{
		id: "getHealth", tag: "Instance", summary: "Whether the process lives", answers: ok(health{}, "It does."),
	}
	aboutGetReady = operation{
		id: "getReady", tag: "Instance", summary: "Whether requests can be served", answers: ok(health{}, "They can."), faults: []int{503},
	}
	aboutGetAnchor = operation{
		id: "getAnchor", tag: "Instance", summary: "Get the newest checkpoint of the anchor log",
		text:    "A signed note over the checkpoints of all logs, with the signatures of its witnesses. Which anchor a log is in says its own route `anchor`, and its evidence bundle.",
		answers: note("The note."), faults: []int{404},
	}
	aboutGetAnchorAt = operation{
		id: "getAnchorAt", tag: "Instance", summary: "Get a checkpoint of the anchor log by size", text: "One that was signed before, of exactly this size.",
		path: []param{{"size", "The size of its tree.", text}}, answers: note("The note."), faults: []int{404},
	}
	aboutGetAnchorTile = operation{
		id: "getAnchorTile", tag: "Instance", summary: "Get a tile or an entry bundle of the anchor log",
		text:    "As the tiles of a log. A leaf has 65 bytes: when, how many logs, and the root over their heads. None names a log.",
		path:    []param{{"path", "What follows `tile/`. Its slashes stand as they are.", text}},
		answers: []answer{{http.StatusOK, "Hashes of 32 bytes each, or leaves.", content{"application/octet-stream", nil}}}, faults: []int{404},
	}
	aboutGetAnchorInclusion = operation{
		id: "getAnchorInclusion", tag: "Instance", summary: "Prove that a leaf is in the anchor log", answers: ok(inclusion{}, "The proof."), faults: []int{404},
	}
	aboutGetAnchorConsistency = operation{
		id: "getAnchorConsistency", tag: "Instance", summary: "Prove that the anchor log only grew", text: "That the tree of size `from` is the beginning of the tree of size `to`.",
		answers: ok(consistency{}, "The proof."), faults: []int{404},
	}
	aboutGetAnchorInfo = operation{
		id: "getAnchorInfo", tag: "Instance", summary: "Get the anchor log's key and size", answers: ok(anchorInfo{}, "How it stands."), faults: []int{404},
	}
	aboutGetAnchorBatch = operation{
		id: "getAnchorBatch", tag: "Instance", summary: "Get what a leaf of the anchor log is the root of",
		text: "An entry for every log that grew, of every organization, by the hash of its origin: it says how many grew and by how much, so it is the operator's. " +
			"What one log needs says its own route `anchor`.",
		path: []param{{"index", "Place of the leaf, from 0.", text}}, answers: ok(anchorBatch{}, "The batch."), faults: []int{404},
	}
	aboutGetLogAnchor = operation{
		id: "getLogAnchor", tag: "Log", summary: "Prove that the log is anchored",
		text: "The newest anchor of the log at a size of at most `size`: its own head, that it is in a batch, the batch in a leaf, and the leaf in a checkpoint of the " +
			"anchor log, which others hold. It says nothing about another log.",
		path: []param{pathOrg}, answers: ok(anchored{}, "The proofs, as the `anchor` line of a bundle has them."), faults: []int{404, 503},
	}
	aboutGetInstanceKeys = operation{
		id: "getInstanceKeys", tag: "Instance", summary: "Get the keys of clock and anchor log", text: "They say nothing about any organization. The key of a log is in its `info`.",
		answers: ok(instanceKeys{}, "The keys."), faults: []int{404},
	}
	aboutGetOpenAPI = operation{
		id: "getOpenAPI", tag: "Instance", summary: "This document", answers: ok(nil, "OpenAPI 3.1."),
	}
	aboutGetDocs = operation{
		id: "getDocs", tag: "Instance", summary: "This document, to read", answers: []answer{{http.StatusOK, "A page.", content{"text/html", ""}}},
	}

	headerOrg = param{"Daybook-Org", "The organization. A key for all organizations needs it, a key of one may repeat its own.", huma.Schema{
		Type: huma.TypeString, MinLength: new(1), MaxLength: new(128), Pattern: "^[A-Za-z0-9._:@-]+$",
	}}
)
