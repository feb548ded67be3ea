package control_test

import (
	"testing"

	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

// TestSigning: the first node decides what the instance signs as; another one that comes at the same moment is told, and changes
// nothing unless that is meant.
func TestSigning(t *testing.T) {
	t.Parallel()
	docs := storetest.Memory()
	if s, ok, err := control.ReadSigning(t.Context(), docs); ok || err != nil || s != (control.Signing{}) {
		t.Errorf("at first: %+v, %v, %v", s, ok, err)
	}
	for _, step := range []struct {
		put, want control.Signing
		replace   bool
	}{
		{put: control.Signing{Origin: "a", Clock: "b"}, want: control.Signing{Origin: "a", Clock: "b"}},
		{put: control.Signing{Origin: "a", Clock: "b"}, want: control.Signing{Origin: "a", Clock: "b"}},
		{put: control.Signing{Origin: "a", Clock: "c"}, want: control.Signing{Origin: "a", Clock: "b"}},
		{put: control.Signing{Origin: "a", Clock: "c"}, want: control.Signing{Origin: "a", Clock: "c"}, replace: true},
	} {
		kept, err := control.KeepSigning(t.Context(), docs, step.put, step.replace)
		if err != nil || kept != step.want {
			t.Errorf("%+v: kept %+v, %v", step, kept, err)
		}
		if s, ok, err := control.ReadSigning(t.Context(), docs); !ok || err != nil || s != step.want {
			t.Errorf("%+v: got %+v, %v, %v", step, s, ok, err)
		}
	}
}
