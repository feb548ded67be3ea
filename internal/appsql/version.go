package appsql

// Thing names what has versions.
type Thing struct{ Org, Type, ID string }

// Args returns the arguments of a statement about a thing: the thing's, and more.
func (t *Thing) Args(more ...any) []any { return append([]any{t.Org, t.Type, t.ID}, more...) }

// Version is a row of daybook_versions, but for the thing.
type Version struct {
	Number       int64
	EventID      string
	At           int64  // µs since 1970
	Actor        string // JSON
	Deleted      bool
	Schema       int
	RestoredFrom int64
	Doc          string
}

// Columns is where the columns of a version go, in the order in which statements give them.
func (v *Version) Columns() []any {
	return []any{&v.Number, &v.EventID, &v.At, &v.Actor, &v.Deleted, &v.Schema, &v.RestoredFrom, &v.Doc}
}

// Values are those that Keep takes, behind the thing.
func (v *Version) Values() []any {
	deleted := 0
	if v.Deleted {
		deleted = 1
	}
	return []any{v.Number, v.EventID, v.At, v.Actor, deleted, v.Schema, v.RestoredFrom, v.Doc}
}
