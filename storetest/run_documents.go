package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/daybook-audit/daybook"
)

// documents returns the store as Documents; a store without them has nothing to promise.
func (x *trial) documents() daybook.Documents {
	x.Helper()
	d, ok := x.Store.(daybook.Documents)
	if !ok {
		x.Fatalf("%T is no daybook.Documents", x.Store)
	}
	return d
}

var documentsPromises = []promise{
	{"Get returns what Put stored, or ErrNotExist", func(x *trial) {
		d := x.documents()
		_, err := d.Get(x.ctx, "key", "org", "id")
		x.want(err, daybook.ErrNotExist)
		doc := daybook.Document{Kind: "key", Org: "org", ID: "id", Data: json.RawMessage(`{"a":1}`)}
		v, err := d.Put(x.ctx, doc)
		x.must(err)
		doc.Version = v
		if v == 0 {
			x.Fatal("version 0 is taken by what does not exist")
		}
		got, err := d.Get(x.ctx, "key", "org", "id")
		x.must(err)
		x.same(got, doc)
		x.reopen()
		got, err = x.documents().Get(x.ctx, "key", "org", "id")
		x.must(err)
		x.same(got, doc)
	}},
	{"kind, org and id tell documents apart, by case too", func(x *trial) {
		d := x.documents()
		refs := []documentRef{{"k", "o", "i"}, {"K", "o", "i"}, {"k", "O", "i"}, {"k", "o", "I"}, {"k", "", "i"}, {"ko", "", "i"}, {"k", "o", "ü"}}
		for i, r := range refs {
			_, err := d.Put(x.ctx, daybook.Document{Kind: r.kind, Org: r.org, ID: r.id, Data: json.RawMessage(strconv.Itoa(i))})
			x.must(err)
		}
		for i, r := range refs {
			got, err := d.Get(x.ctx, r.kind, r.org, r.id)
			x.must(err)
			x.same(string(got.Data), strconv.Itoa(i))
		}
	}},
	{"Put stores only over the version that is given, else ErrVersionMoved", func(x *trial) {
		d := x.documents()
		doc := daybook.Document{Kind: "k", ID: "id", Data: json.RawMessage("1"), Version: 1}
		_, err := d.Put(x.ctx, doc)
		x.want(err, daybook.ErrVersionMoved)
		doc.Version = 0
		v, err := d.Put(x.ctx, doc)
		x.must(err)
		for _, wrong := range []int64{0, v + 1, -1} {
			doc.Version, doc.Data = wrong, json.RawMessage("2")
			_, err = d.Put(x.ctx, doc)
			x.want(err, daybook.ErrVersionMoved)
		}
		got, err := d.Get(x.ctx, "k", "", "id")
		x.must(err)
		x.same(string(got.Data), "1")
		doc.Version = v
		next, err := d.Put(x.ctx, doc)
		x.must(err)
		if next == v {
			x.Fatal("the version did not change")
		}
		got, err = d.Get(x.ctx, "k", "", "id")
		x.must(err)
		x.same(got, daybook.Document{Kind: "k", ID: "id", Version: next, Data: json.RawMessage("2")})
	}},
	{"of concurrent Puts over one version exactly one wins", func(x *trial) {
		d := x.documents()
		version := int64(0)
		for range 10 {
			var wg sync.WaitGroup
			var won atomic.Int64
			for i := range 8 {
				wg.Go(func() {
					v, err := d.Put(x.ctx, daybook.Document{Kind: "k", ID: "id", Version: version, Data: json.RawMessage(strconv.Itoa(i))})
					switch {
					case err == nil && !won.CompareAndSwap(0, v):
						x.Error("two won")
					case err != nil && !errors.Is(err, daybook.ErrVersionMoved):
						x.Error(err)
					}
				})
			}
			wg.Wait()
			if version = won.Load(); version == 0 {
				x.Fatal("nobody won")
			}
		}
	}},
	{"List returns at most limit documents by id, bytewise, with id > after", func(x *trial) {
		d := x.documents()
		ids := []string{"", "A", "B", "Z", "_", "a", "aa", "b", "ä", "日"}
		var want []daybook.Document
		for i := range ids {
			id := ids[(i*7)%len(ids)]
			for _, doc := range []daybook.Document{{Kind: "k", Org: "org", ID: id}, {Kind: "k", ID: id}, {Kind: "other", Org: "org", ID: id}} {
				doc.Data = json.RawMessage(fmt.Sprintf("%q", doc.Kind+string(doc.Org)+id))
				v, err := d.Put(x.ctx, doc)
				x.must(err)
				doc.Version = v
				if doc.Kind == "k" && doc.Org == "org" && id != "" {
					want = append(want, doc)
				}
			}
		}
		slices.SortFunc(want, func(a, b daybook.Document) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
		for _, limit := range []int{1, 3, 100} {
			var got []daybook.Document
			after := ""
			for {
				page, err := d.List(x.ctx, "k", "org", after, limit)
				x.must(err)
				if len(page) > limit {
					x.Fatalf("%d documents, limit %d", len(page), limit)
				}
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				after = page[len(page)-1].ID
			}
			x.same(got, want)
		}
	}},
	{"Delete removes a document of the version that is given: ErrVersionMoved, ErrNotExist", func(x *trial) {
		d := x.documents()
		x.want(d.Delete(x.ctx, "k", "", "id", 1), daybook.ErrNotExist)
		v, err := d.Put(x.ctx, daybook.Document{Kind: "k", ID: "id", Data: json.RawMessage("1")})
		x.must(err)
		x.want(d.Delete(x.ctx, "k", "", "id", v+1), daybook.ErrVersionMoved)
		x.want(d.Delete(x.ctx, "k", "", "id", 0), daybook.ErrVersionMoved)
		x.must(d.Delete(x.ctx, "k", "", "id", v))
		_, err = d.Get(x.ctx, "k", "", "id")
		x.want(err, daybook.ErrNotExist)
		_, err = d.Put(x.ctx, daybook.Document{Kind: "k", ID: "id", Version: v, Data: json.RawMessage("2")})
		x.want(err, daybook.ErrVersionMoved)
		_, err = d.Put(x.ctx, daybook.Document{Kind: "k", ID: "id", Data: json.RawMessage("3")})
		x.must(err)
	}},
	{"Data may have MaxDocument bytes and no more, and belongs to the caller", func(x *trial) {
		d := x.documents()
		data := bytes.Repeat([]byte("x"), daybook.MaxDocument)
		v, err := d.Put(x.ctx, daybook.Document{Kind: "k", ID: "id", Data: data})
		x.must(err)
		clear(data)
		got, err := d.Get(x.ctx, "k", "", "id")
		x.must(err)
		clear(got.Data)
		got, err = d.Get(x.ctx, "k", "", "id")
		x.must(err)
		if !bytes.Equal(got.Data, bytes.Repeat([]byte("x"), daybook.MaxDocument)) {
			x.Fatal("the document changed with the caller's slice")
		}
		_, err = d.Put(x.ctx, daybook.Document{Kind: "k", ID: "id", Version: v, Data: append(data, 'x')})
		if err == nil {
			x.Fatal("a document over the limit: no error")
		}
	}},
}
