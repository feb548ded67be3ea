package activity_test

import (
	"encoding/json"
	"testing"

	"github.com/daybook-audit/daybook"
	audit "github.com/daybook-audit/daybook/activity"
)

// kernel is a container as a framework has one.
type kernel map[string]any

func (k kernel) Get(name string) (any, bool) { v, ok := k[name]; return v, ok }
func (k kernel) Set(name string, v any)      { k[name] = v }

// TestREADME: the statements of the original's README, with nothing changed but the import.
//
//nolint:errcheck // they drop errors there
func TestREADME(t *testing.T) {
	t.Parallel()
	_, made := newActivity(t)
	k := kernel{}
	made.Register(k)
	ctx := t.Context()
	post := struct{ ID, Title string }{"42", "Hello"}
	userID, oldMap, newMap := "u1", map[string]any{"title": "Hello"}, map[string]any{"title": "Hello world"}

	// region: statements
	a, _ := audit.FromKernel(k)
	a.Log(ctx, "created", "post", post.ID, userID, map[string]any{"title": post.Title})
	a.LogChange(ctx, "updated", "post", post.ID, userID, oldMap, newMap)
	a.Snapshot(ctx, "post", post.ID, oldMap, userID)
	acts, _ := a.Activity(ctx, audit.Filter{SubjectType: "post", SubjectID: post.ID, CauserID: userID, Action: "updated", Limit: 10})
	// end: statements
	versionID := snapshotID(t, a, "post", post.ID)
	ctx = daybook.WithActor(ctx, daybook.Actor{Type: "user", ID: userID}) // the middleware does this
	data, ver, _ := a.Restore(ctx, versionID)
	_ = audit.Middleware

	if len(acts) != 1 || data["title"] != "Hello" || ver.Number != 1 {
		t.Errorf("%d activities, data %v, version %+v", len(acts), data, ver)
	}
	if _, ok := audit.FromKernel(kernel{}); ok {
		t.Error("an empty container has an Activity")
	}
	if _, ok := audit.FromKernel(kernel{"audit": 7}); ok {
		t.Error("a number is an Activity")
	}
}

// snapshotID returns the id of the first snapshot.
func snapshotID(t *testing.T, a *audit.Activity, typ, id string) string {
	t.Helper()
	got := get(t, a, "/versions/"+typ+"/"+id)
	var versions []struct{ ID string }
	if err := json.Unmarshal([]byte(got), &versions); err != nil || len(versions) == 0 {
		t.Fatalf("versions %s: %v", got, err)
	}
	return versions[len(versions)-1].ID
}
