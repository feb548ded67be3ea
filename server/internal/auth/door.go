package auth

import (
	"encoding/json"
	"net/http"
)

// Door is the API of another product. It answers its requests itself, errors included; the server around it gives the request id,
// the limits on the body, the access log and the metrics. A door lives below the server that mounts it and does not know it.
type Door interface {
	Name() string
	Routes() []DoorRoute
	// Owns reports whether an unknown path is the door's to refuse.
	Owns(path string) bool
	// Fault answers a request that never reached a route, or whose handler panicked: 400, 404, 405 (Allow is set), 408, 413, 415, 500.
	Fault(w http.ResponseWriter, r *http.Request, status int)
	// OpenAPI describes the routes: a JSON object with the members paths and components, merged into the server's document.
	OpenAPI() json.RawMessage
}

// DoorRoute is one route of a door. The handler authenticates; Scopes says with which right, for the tests that walk the routes.
type DoorRoute struct {
	Method, Pattern string // Pattern as in http.ServeMux, without method and host
	Scopes          Scopes
	Open            bool     // no key is needed: the handler knows who may by other means
	Params          []string // of the query string, in the order of the document, for the tests that compare them; the handler checks
	// Admit, if set, runs before the body is read and returns the request that Handler gets, such as one whose context says who asks. Nil
	// means that it has answered.
	Admit func(w http.ResponseWriter, r *http.Request) *http.Request
	// Body is the largest body in bytes, before and after decompression, when the server's own limits are lower; 0: they hold.
	Body int64
	// Handler answers. The body is complete, decompressed and within the limits; it is valid until Handler returns.
	Handler func(w http.ResponseWriter, r *http.Request, body []byte)
}
