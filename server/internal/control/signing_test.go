package control_test

import (
	"testing"

	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

func TestSigning(t *testing.T) {
	t.Parallel()
	docs := storetest.Memory()
	if s, ok, err := control.ReadSigning(t.Context(), docs); ok || err != nil || s != (control.Signing{}) {
		t.Errorf("at first: %+v, %v, %v", s, ok, err)
	}
	for _, want := range []control.Signing{{Origin: "a", Clock: "b"}, {Origin: "a", Clock: "b"}, {Origin: "a", Clock: "c"}} {
		if err := control.KeepSigning(t.Context(), docs, want); err != nil {
			t.Fatal(err)
		}
		if s, ok, err := control.ReadSigning(t.Context(), docs); !ok || err != nil || s != want {
			t.Errorf("got %+v, %v, %v; want %+v", s, ok, err, want)
		}
	}
}
