package main

import (
	"bytes"
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	for _, size := range []int{0, 691, 1500} {
		for _, o := range []int{1,10} {
		src := newEventSource(workload{orgs: o, seed: 1, size: size})
		var b bytes.Buffer
		for range 20000 {
			if _, err := src.next(&b, time.Unix(1700000000, 0)); err != nil {
				t.Fatal(err)
			}
		}
		t.Log(size, o, b.Len()/20000)
		}
	}
}
