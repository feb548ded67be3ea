package daybookhttp_test

import (
	"net/http"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
	"github.com/daybook-audit/daybook/daybooktest"
)

func TestMiddleware(t *testing.T) {
	t.Parallel()
	daybooktest.RunHTTP(t, func(c *daybook.Clerk, o daybookhttp.Options, h http.Handler) http.Handler {
		return daybookhttp.Middleware(c, o)(h)
	})
}

// Behind a mux, and other middleware that copies the request.
func TestInnermost(t *testing.T) {
	t.Parallel()
	daybooktest.RunHTTP(t, func(c *daybook.Clerk, o daybookhttp.Options, h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", h)
		copies := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			daybookhttp.Innermost(mux).ServeHTTP(w, r.WithContext(r.Context()))
		})
		return daybookhttp.Middleware(c, o)(copies)
	})
}
