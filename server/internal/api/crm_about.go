package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daybook-audit/daybook/crm"
)

// The types of this file are never filled: they are what the document says.

// crmID is an id: an integer or a string.
type crmID struct{}

// crmObject is a JSON object or null, crmMaybeID an id or null, crmText a string or null, crmNumber an integer or null.
type (
	crmObject  struct{}
	crmMaybeID struct{}
	crmText    struct{}
	crmNumber  struct{}
	crmTime    struct{}
)

func oneOf(types ...string) *huma.Schema {
	s := &huma.Schema{}
	for _, t := range types {
		s.OneOf = append(s.OneOf, &huma.Schema{Type: t})
	}
	return s
}

// Schema is part of huma.SchemaProvider.
func (crmID) Schema(huma.Registry) *huma.Schema { return oneOf("integer", "string") }

// Schema is part of huma.SchemaProvider.
func (crmMaybeID) Schema(huma.Registry) *huma.Schema { return oneOf("integer", "string", "null") }

// Schema is part of huma.SchemaProvider.
func (crmObject) Schema(huma.Registry) *huma.Schema { return oneOf("object", "null") }

// Schema is part of huma.SchemaProvider.
func (crmText) Schema(huma.Registry) *huma.Schema { return oneOf("string", "null") }

// Schema is part of huma.SchemaProvider.
func (crmNumber) Schema(huma.Registry) *huma.Schema { return oneOf("integer", "null") }

// Schema is part of huma.SchemaProvider.
func (crmTime) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

type crmEntry struct {
	ID               int64      `json:"id" doc:"Position in the log + 1: stable, with gaps where something was recorded in other ways." example:"42"`
	Action           crmNumber  `json:"action" doc:"null: recorded in another way, under a name that has no number."`
	ActionName       string     `json:"actionName" example:"lead.update"`
	EntityType       crmNumber  `json:"entityType"`
	EntityTypeName   string     `json:"entityTypeName" example:"LeadEntity"`
	NumberIdentifier crmMaybeID `json:"numberIdentifier" doc:"As sent."`
	ChangedObjects   struct {
		Previous   crmObject `json:"previous"`
		Current    crmObject `json:"current"`
		Difference crmObject `json:"difference" doc:"Every field that differs, with its value in current; null: it is gone."`
	} `json:"changedObjects"`
	User           crmMaybeID `json:"user" doc:"null: there was none, or the user was deleted."`
	UserEmail      crmText    `json:"userEmail" doc:"Kept when the user is deleted."`
	IsImpersonated bool       `json:"isImpersonated"`
	ImpersonatedBy crmObject  `json:"impersonatedBy" doc:"The real person, by id and email."`
	CreatedAt      crmTime    `json:"createdAt" doc:"When the action was performed."`
	EventID        string     `json:"eventId" example:"evt_01kdyak3sefjmr24pa3eywnyp2"`
	Seq            int64      `json:"seq" example:"41"`
	ActorID        string     `json:"actorId" doc:"Never nulled: two deleted users stay two." example:"7"`
	Changes        []change   `json:"changes" nullable:"false" doc:"The same difference with old values, into nested objects."`
	Erased         []string   `json:"erased,omitempty" doc:"JSON pointers of what was erased of the event; only then."`
	Removed        string     `json:"removed,omitempty" doc:"Why nothing of the entry is left; only then."`
	LeafHash       string     `json:"leafHash,omitempty" doc:"SHA-256, base64; only of what was just recorded."`
	Duplicate      bool       `json:"duplicate,omitempty" doc:"It had been recorded before; only of what was just recorded."`
}

type crmEntryList struct {
	Data       []crmEntry `json:"data" nullable:"false"`
	NextCursor crmText    `json:"nextCursor" doc:"null at the end."`
}

type crmEntryRecordedList struct {
	Data []crmEntry `json:"data" nullable:"false" doc:"In the order sent."`
}

type newCRMEntry struct {
	Action           crmID `json:"action" doc:"Number or name."`
	EntityType       crmID `json:"entityType" doc:"Number or name."`
	NumberIdentifier crmID `json:"numberIdentifier" doc:"Id of the record: an integer from 0 to 2^53-1, or a string of 1 to 256 characters."`
	User             any   `json:"user,omitempty" doc:"The user's id, or an object with id and email, or null."`
	UserEmail        any   `json:"userEmail,omitempty" doc:"A string. Left out: user.email."`
	ChangedObjects   any   `json:"changedObjects,omitempty" doc:"previous and current, each an object or null. difference is computed; one that is sent must be the same."`
	IsImpersonated   any   `json:"isImpersonated,omitempty" doc:"Left out: whether impersonatedBy is there. true without it: it is not known who."`
	ImpersonatedBy   any   `json:"impersonatedBy,omitempty" doc:"The real person: an id, or an object with id and email."`
	CreatedAt        any   `json:"createdAt,omitempty" doc:"RFC 3339. Left out: now."`
}

type (
	crmEntryOrEntries       struct{}
	crmRecordedOrRecordings struct{}
	crmValueOrValues        struct{}
	crmAnswerOfEnum         struct{}
)

// Schema is part of huma.SchemaProvider.
func (crmEntryOrEntries) Schema(r huma.Registry) *huma.Schema {
	one := r.Schema(reflect.TypeFor[newCRMEntry](), true, "")
	return &huma.Schema{OneOf: []*huma.Schema{one, {Type: huma.TypeArray, Items: one, MinItems: new(1), MaxItems: new(1000)}}}
}

// Schema is part of huma.SchemaProvider.
func (crmRecordedOrRecordings) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		r.Schema(reflect.TypeFor[crmEntry](), true, ""), r.Schema(reflect.TypeFor[crmEntryRecordedList](), true, ""),
	}}
}

type newCRMValue struct {
	Name  string `json:"name" minLength:"1" maxLength:"128" example:"lead.merge"`
	Value *int   `json:"value,omitempty" doc:"The number that is expected: the largest + 1." example:"10"`
}

type newCRMValues struct {
	Values []crm.Value `json:"values" minItems:"1" nullable:"false" doc:"While the enum is empty: numbers of its own, gaps allowed."`
}

// Schema is part of huma.SchemaProvider.
func (crmValueOrValues) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{r.Schema(reflect.TypeFor[newCRMValue](), true, ""), r.Schema(reflect.TypeFor[newCRMValues](), true, "")}}
}

// Schema is part of huma.SchemaProvider.
func (crmAnswerOfEnum) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{r.Schema(reflect.TypeFor[crm.Value](), true, ""), r.Schema(reflect.TypeFor[crmEnum](), true, "")}}
}

type newCRMDeletion struct {
	User crmID `json:"user"`
}

type crmDeletion struct {
	User      crmID   `json:"user"`
	DeletedAt crmTime `json:"deletedAt"`
	EventID   string  `json:"eventId"`
}

type crmDeletionList struct {
	Data       []crmDeletion `json:"data" nullable:"false" doc:"The newest first."`
	NextCursor crmText       `json:"nextCursor"`
}

// either are the answers to a request that may be a repeat.
func either(shape any) []answer {
	return []answer{
		{http.StatusCreated, "Recorded, and durable.", content{mediaJSON, shape}},
		{http.StatusOK, "It was so already; nothing was recorded.", content{mediaJSON, shape}},
	}
}

var (
	faultsOfCRM = []int{409, 413, 415, 422, 503, 507}
	textOfEnum  = "A value gets the largest number + 1 and keeps it: there is no way to rename, renumber or remove one. 409 `enum_conflict` when the number that comes along is another. " +
		"The append is itself an entry of the log, `crm.enum_appended`."

	aboutGetCRMEnums       = operation{id: "getCRMEnums", tag: tagCRM, summary: "Get both enums", answers: ok(crmEnums{}, "The enums.")}
	aboutGetCRMActions     = operation{id: "getCRMActions", tag: tagCRM, summary: "Get the actions", answers: ok(crmEnum{}, "The enum.")}
	aboutGetCRMEntityTypes = operation{id: "getCRMEntityTypes", tag: tagCRM, summary: "Get the entity types", answers: ok(crmEnum{}, "The enum.")}
	aboutAppendCRMAction   = operation{
		id: "appendCRMAction", tag: tagCRM, summary: "Append an action", text: textOfEnum, request: []content{{mediaJSON, crmValueOrValues{}}},
		answers: either(crmAnswerOfEnum{}), faults: faultsOfCRM,
	}
	aboutAppendCRMEntityType = operation{
		id: "appendCRMEntityType", tag: tagCRM, summary: "Append an entity type", text: textOfEnum, request: []content{{mediaJSON, crmValueOrValues{}}},
		answers: either(crmAnswerOfEnum{}), faults: faultsOfCRM,
	}
	aboutCreateCRMEntries = operation{
		id: "createCRMEntries", tag: tagCRM, summary: "Record entries",
		text: "For the application, not for its users. One object, or an array that is recorded in one commit: all of it or nothing. The difference is computed; values of fields whose " +
			"names are those of secrets are masked after that.",
		headers: []param{{"Idempotency-Key", "1 to 255 bytes. The same key with other content is 409 `key_conflict`.", text}},
		request: []content{{mediaJSON, crmEntryOrEntries{}}}, answers: either(crmRecordedOrRecordings{}), faults: faultsOfCRM,
	}
	aboutListCRMEntries = operation{
		id: "listCRMEntries", tag: tagCRM, summary: "List entries",
		text:    "All that is given must hold. The history of one record: `?entityType=LeadEntity&numberIdentifier=1201`. A page may be short although another follows.",
		answers: ok(crmEntryList{}, "One page."),
	}
	aboutGetCRMEntry = operation{
		id: "getCRMEntry", tag: tagCRM, summary: "Get one entry", path: []param{{"id", "The entry's id, or its event id.", text}}, answers: ok(crmEntry{}, "The entry."),
	}
	aboutCreateCRMDeletion = operation{
		id: "createCRMDeletion", tag: tagCRM, summary: "Say that a user was deleted",
		text:    "Nothing is rewritten. Entries of the user show none from then on, older and newer ones; `userEmail` and `actorId` stay.",
		request: []content{{mediaJSON, newCRMDeletion{}}}, answers: either(crmDeletion{}), faults: faultsOfCRM,
	}
	aboutListCRMDeletions = operation{
		id: "listCRMDeletions", tag: tagCRM, summary: "List deleted users", answers: ok(crmDeletionList{}, "One page."),
	}
)
