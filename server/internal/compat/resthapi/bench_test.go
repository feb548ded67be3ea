package resthapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/compat/resthapi"
)

// A page of a log of many documents: in the order of _id, with a filter that the log knows, one that it does not, and sorted.
func BenchmarkList(b *testing.B) {
	f := newFixture(b, resthapi.Settings{})
	const documents = 50_000
	for first := 0; first < documents; first += 1000 {
		docs := make([]string, 1000)
		for i := range docs {
			n := first + i
			docs[i] = fmt.Sprintf(`{"method":"PUT","action":"Update","endpoint":"/user/%d","collectionName":"user","documents":["%d"],"user":"u%d","statusCode":200,"payload":{"name":"n%d","age":%d}}`, n, n, n%1000, n, n%90)
		}
		f.post("[" + strings.Join(docs, ",") + "]")
	}
	for name, params := range map[string]string{
		"all": "$limit=20", "user": "$limit=20&user=u7", "where": `$limit=20&$where={"payload.age":{"$gt":80}}`, "sorted": "$limit=20&$sort=-date",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if w := f.ask(http.MethodGet, "/auditLog?"+escaped(strings.Split(params, "&")...), ""); w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
