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
	// OpenAPI describes the routes: an object with the members paths and components, merged into the server's document.
	OpenAPI() json.RawMessage
	// Fault answers a request for one of the door's paths that never reached a route: 404, 405 (Allow is set) or 500.
	Fault(w http.ResponseWriter, r *http.Request, status int)
}

// DoorRoute is one route of a door. The handler authenticates; Scopes says with which right, for the tables that tests walk.
type DoorRoute struct {
	Method, Pattern string // Pattern as in http.ServeMux, without method and host
	Scopes          Scopes
	Handler         http.HandlerFunc
}
