package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/sentence"
)

// kindSchema is one version of an action's schema: a document under the empty org that is made once and never changed.
const kindSchema = "schema"

// Limits of schemas.
const (
	MaxSchema         = 64 << 10 // bytes of one version
	maxSchemaVersions = 1000     // of one action
	maxActionName     = 512      // bytes
	maxSchemaTargets  = 256
)

// Schema is one version of what events of one action must look like. It is shared between requests and must not be changed.
type Schema struct {
	Org     daybook.OrgID // whose it is; empty: it is shared by all organizations that have none of their own for the action
	Action  string
	Version int // from 1, without gaps
	SchemaParts
	CreatedAt time.Time
	By        daybook.Party

	parts     func() (*compiledSchema, error)
	templates func() sentence.Templates
}

// Templates returns the sentences ready to render; those of a schema without any are the zero value.
func (s *Schema) Templates() sentence.Templates {
	if s.templates == nil {
		return sentence.Templates{}
	}
	return s.templates()
}

// SchemaParts are the JSON Schemas of the places of an event; nil: what is there is not constrained.
type SchemaParts struct {
	Actor    json.RawMessage // of actor.metadata
	Targets  []SchemaTarget  // an event needs a target of each type
	Metadata json.RawMessage
	Event    json.RawMessage // of the event as a whole, as it is kept

	Sentences Sentences // what an event of the version says, for people
}

// SchemaTarget is a target that an event of the action has.
type SchemaTarget struct {
	Type     string          `json:"type"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// Action is all versions of an action's schema, the oldest first. It is shared between requests and must not be changed.
type Action struct {
	Org     daybook.OrgID // empty: shared
	Name    string
	Schemas []*Schema // at least one
}

// Newest returns the newest version.
func (a *Action) Newest() *Schema { return a.Schemas[len(a.Schemas)-1] }

// Version returns version n, or ErrNotFound.
func (a *Action) Version(n int) (*Schema, error) {
	if n < 1 || n > len(a.Schemas) {
		return nil, ErrNotFound
	}
	return a.Schemas[n-1], nil
}

type schemaDocument struct {
	Org      daybook.OrgID   `json:"org"`
	Action   string          `json:"action"`
	Version  int             `json:"version"`
	Actor    json.RawMessage `json:"actor,omitempty"`
	Targets  []SchemaTarget  `json:"targets,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Event    json.RawMessage `json:"event,omitempty"`
	Sentences
	CreatedAt moment        `json:"created_at"`
	By        daybook.Party `json:"by"`
}

func (d *schemaDocument) schema() *Schema {
	s := &Schema{
		Org: d.Org, Action: d.Action, Version: d.Version, CreatedAt: d.CreatedAt.time(), By: d.By,
		SchemaParts: SchemaParts{Actor: d.Actor, Targets: d.Targets, Metadata: d.Metadata, Event: d.Event, Sentences: d.Sentences},
	}
	s.parts, s.templates = sync.OnceValues(s.compile), sync.OnceValue(s.Sentences.templates)
	return s
}

// schemaID is where the document of a version stands: versions of an action follow each other.
func schemaID(org daybook.OrgID, action string, version int) string {
	sum := sha256.Sum256([]byte(string(org) + "\x00" + action))
	return fmt.Sprintf("%s_%06d", hex.EncodeToString(sum[:16]), version)
}

// How long a node believes what it read of the schemas.
const schemasFor = 5 * time.Second

// SchemaOptions is how Schemas judges.
type SchemaOptions struct {
	Now   func() time.Time
	Rules map[string]SchemaRules // by door; that of the empty name is for those that are not listed
}

// Schemas keeps the schemas of actions and holds events against them. All of them are in memory; what another node registers holds here
// after at most five seconds, what is registered here at once. Safe for concurrent use.
type Schemas struct {
	docs  daybook.Documents
	now   func() time.Time
	rules map[string]SchemaRules

	registry atomic.Pointer[registry]
	mu       sync.Mutex // held by whoever replaces the registry
}

var _ daybook.Schemas = (*Schemas)(nil)

// registry is one picture of all schemas. It is replaced, never changed.
type registry struct {
	until   int64 // µs since 1970, when it must be compared with the store again
	version int64 // of the document that says that something was registered
	of      map[daybook.OrgID]map[string]*Action
}

// OpenSchemas reads the schemas kept in docs.
func OpenSchemas(ctx context.Context, docs daybook.Documents, o SchemaOptions) (*Schemas, error) {
	s := &Schemas{docs: docs, now: o.Now, rules: o.Rules}
	for door, rules := range o.Rules {
		if err := rules.check(); err != nil {
			return nil, fmt.Errorf("schema rules of %q: %w", door, err)
		}
	}
	s.registry.Store(&registry{version: -1})
	return s, s.refresh(ctx)
}

const registryID = "schemas"

// current returns the picture to judge by. One caller compares it with the store when its time is over, the others take what there is;
// what cannot be compared holds on: an old schema is better than a lost event.
func (s *Schemas) current(ctx context.Context) *registry {
	r := s.registry.Load()
	if s.now().UnixMicro() >= r.until && s.mu.TryLock() {
		_ = s.reload(ctx)
		s.mu.Unlock()
		r = s.registry.Load()
	}
	return r
}

// refresh compares the picture with the store now.
func (s *Schemas) refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload(ctx)
}

// reload reads the schemas again if something was registered since. The caller holds mu.
func (s *Schemas) reload(ctx context.Context) error {
	was := s.registry.Load()
	next := &registry{until: s.now().Add(schemasFor).UnixMicro(), version: was.version, of: was.of}
	var version int64
	switch d, err := s.docs.Get(ctx, kindInstance, "", registryID); {
	case err == nil:
		version = d.Version
	case !errors.Is(err, daybook.ErrNotExist):
		return fmt.Errorf("ask for new schemas: %w", err)
	}
	if version != was.version {
		of, err := s.read(ctx)
		if err != nil {
			return err
		}
		next.of, next.version = of, version
	}
	s.registry.Store(next)
	return nil
}

// read reads all schemas.
func (s *Schemas) read(ctx context.Context) (map[daybook.OrgID]map[string]*Action, error) {
	of := map[daybook.OrgID]map[string]*Action{}
	err := list(ctx, s.docs, kindSchema, func(d daybook.Document) error {
		var doc schemaDocument
		if err := json.Unmarshal(d.Data, &doc); err != nil {
			return fmt.Errorf("read schema %s: %w", d.ID, err)
		}
		add(of, doc.schema())
		return nil
	})
	return of, err
}

// add puts the next version of an action into of. What is there is replaced, not changed: others read it.
func add(of map[daybook.OrgID]map[string]*Action, n *Schema) {
	if of[n.Org] == nil {
		of[n.Org] = map[string]*Action{}
	}
	a := &Action{Org: n.Org, Name: n.Action}
	if was := of[n.Org][n.Action]; was != nil {
		a.Schemas = slices.Clone(was.Schemas)
	}
	a.Schemas = append(a.Schemas, n)
	of[n.Org][n.Action] = a
}

// NewSchema is a schema to be registered.
type NewSchema struct {
	Org    daybook.OrgID // empty: shared by all organizations
	Action string
	SchemaParts
	// KeepSentences puts the sentences of the newest version in the place of its own: for callers that know no sentences.
	KeepSentences bool
	By            daybook.Party
	// Before, if set, is told of the schema, and of the newest one before it or nil, when nothing is stored yet; its error keeps the
	// schema from being registered.
	Before func(ctx context.Context, was, is *Schema) error
}

// Register makes the next version of an action's schema, durable on return, and of the action if there was none. A schema whose parts are
// those of the newest version makes nothing: that version is returned and made is false. What is not a schema is an *Error with the rule
// invalid_schema, or another of CodeInvalid.
func (s *Schemas) Register(ctx context.Context, n NewSchema) (is *Schema, made bool, err error) {
	if err := n.check(); err != nil {
		return nil, false, err
	}
	n.SchemaParts = n.compact()
	for {
		if err := s.refresh(ctx); err != nil {
			return nil, false, err
		}
		var was *Schema
		if a := s.registry.Load().of[n.Org][n.Action]; a != nil {
			was = a.Newest()
		}
		is, made, err := s.register(ctx, &n, was)
		if err != nil || is != nil {
			return is, made, err
		}
		// Somebody else was faster, or a crash of somebody else kept this node from hearing of a version: read them all.
		if err := s.reread(ctx); err != nil {
			return nil, false, err
		}
	}
}

// register makes the version after was; nothing is returned when there is one already.
func (s *Schemas) register(ctx context.Context, n *NewSchema, was *Schema) (*Schema, bool, error) {
	if n.KeepSentences && was != nil {
		n.Sentences = was.Sentences
	}
	doc := schemaDocument{
		Org: n.Org, Action: n.Action, Version: 1, Actor: n.Actor, Targets: n.Targets, Metadata: n.Metadata, Event: n.Event, Sentences: n.Sentences,
		CreatedAt: at(s.now()), By: n.By,
	}
	if was != nil {
		if was.equal(&n.SchemaParts) {
			return was, false, s.tell(ctx, nil)
		}
		if doc.Version = was.Version + 1; doc.Version > maxSchemaVersions {
			return nil, false, &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: "/action", Message: "an action has at most 1,000 versions of its schema."}
		}
	}
	is := doc.schema()
	if n.Before != nil {
		if err := n.Before(ctx, was, is); err != nil {
			return nil, false, err
		}
	}
	exists, err := create(ctx, s.docs, kindSchema, schemaID(n.Org, n.Action, doc.Version), doc)
	if err != nil || exists {
		return nil, false, err
	}
	// A crash here leaves a version that other nodes hear of with the next one, or when they start. This call was not answered then, and
	// whoever repeats it tells them.
	return is, true, s.tell(ctx, is)
}

// tell lets other nodes know that something was registered, and puts it, if it is not nil, into this one's picture.
func (s *Schemas) tell(ctx context.Context, is *Schema) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.registry.Load()
	if is != nil {
		next := &registry{until: was.until, version: was.version, of: maps.Clone(was.of)}
		if next.of == nil {
			next.of = map[daybook.OrgID]map[string]*Action{}
		}
		next.of[is.Org] = maps.Clone(next.of[is.Org])
		add(next.of, is)
		s.registry.Store(next)
	}
	return schemasChanged(ctx, s.docs)
}

// schemasChanged makes every node read the schemas again, within five seconds.
func schemasChanged(ctx context.Context, docs daybook.Documents) error {
	for {
		d, err := docs.Get(ctx, kindInstance, "", registryID)
		if errors.Is(err, daybook.ErrNotExist) {
			d = daybook.Document{Kind: kindInstance, ID: registryID}
		} else if err != nil {
			return fmt.Errorf("tell of a schema: %w", err)
		}
		d.Data = json.RawMessage(`{}`)
		if _, err = docs.Put(ctx, d); err == nil || !errors.Is(err, daybook.ErrVersionMoved) {
			return err
		}
	}
}

// reread reads all schemas, whether something is said to be new or not.
func (s *Schemas) reread(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.registry.Load()
	of, err := s.read(ctx)
	if err != nil {
		return err
	}
	s.registry.Store(&registry{until: was.until, version: was.version, of: of})
	return nil
}

// Action returns the schemas that hold for an action of org: its own, or, if it has none, those that are shared; else ErrNotFound. For the
// empty org it looks at those that are shared alone.
func (s *Schemas) Action(ctx context.Context, org daybook.OrgID, action string) (*Action, error) {
	if a := s.current(ctx).action(org, action); a != nil {
		return a, nil
	}
	return nil, ErrNotFound
}

func (r *registry) action(org daybook.OrgID, action string) *Action {
	if a := r.of[org][action]; a != nil {
		return a
	}
	return r.of[""][action]
}

// Actions returns the actions for which Action finds something, by name.
func (s *Schemas) Actions(ctx context.Context, org daybook.OrgID) []*Action {
	r := s.current(ctx)
	found := maps.Clone(r.of[""])
	if found == nil {
		found = map[string]*Action{}
	}
	maps.Copy(found, r.of[org])
	return slices.SortedFunc(maps.Values(found), func(a, b *Action) int { return strings.Compare(a.Name, b.Name) })
}

// check refuses what can be no schema.
func (n *NewSchema) check() error {
	invalid := func(rule, field, format string, args ...any) error {
		return &daybook.Error{Code: daybook.CodeInvalid, Rule: rule, Field: field, Message: fmt.Sprintf(format, args...)}
	}
	size := len(n.Actor) + len(n.Metadata) + len(n.Event)
	switch {
	case n.Action == "" || len(n.Action) > maxActionName || !utf8.ValidString(n.Action) || strings.ContainsRune(n.Action, 0):
		return invalid("invalid_value", "/action", "action must be 1 to 512 bytes of UTF-8.")
	case strings.HasPrefix(n.Action, "daybook."):
		return invalid("reserved_action", "/action", `action must not begin with "daybook.": those actions are the log's own.`)
	case len(n.Targets) > maxSchemaTargets:
		return invalid("invalid_value", "/targets", "there are at most %d targets.", maxSchemaTargets)
	}
	for i, t := range n.Targets {
		if size += len(t.Type) + len(t.Metadata); t.Type == "" || len(t.Type) > maxActionName {
			return invalid("required", fmt.Sprintf("/targets/%d/type", i), "a target needs a type of 1 to 512 bytes.")
		}
	}
	if size > MaxSchema {
		return &daybook.Error{Code: daybook.CodeTooLarge, Rule: "too_large", Message: "a schema has at most 64 KiB."}
	}
	if _, err := n.compile(); err != nil {
		return err
	}
	return n.Sentences.check()
}

// compact returns p without white space, and null for what is not there.
func (p *SchemaParts) compact() SchemaParts {
	out := SchemaParts{Actor: compacted(p.Actor), Metadata: compacted(p.Metadata), Event: compacted(p.Event), Sentences: p.Sentences}
	for _, t := range p.Targets {
		out.Targets = append(out.Targets, SchemaTarget{t.Type, compacted(t.Metadata)})
	}
	return out
}

func compacted(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if len(raw) == 0 || json.Compact(&b, raw) != nil || b.String() == "null" {
		return nil
	}
	return b.Bytes()
}

// equal reports whether p and other are the same JSON values.
func (p *SchemaParts) equal(other *SchemaParts) bool {
	if p.Sentences != other.Sentences || len(p.Targets) != len(other.Targets) || !sameJSON(p.Actor, other.Actor) || !sameJSON(p.Metadata, other.Metadata) || !sameJSON(p.Event, other.Event) {
		return false
	}
	for i := range p.Targets {
		if p.Targets[i].Type != other.Targets[i].Type || !sameJSON(p.Targets[i].Metadata, other.Targets[i].Metadata) {
			return false
		}
	}
	return true
}

func sameJSON(a, b json.RawMessage) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	x, errX := decodeValue(a)
	y, errY := decodeValue(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}
