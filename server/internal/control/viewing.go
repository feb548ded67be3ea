package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// kindViewing is how an organization's log may be shown in other products' pages: a document under the empty org, with the
// organization's id.
const kindViewing = "viewing"

// Bounds of viewer tokens, and how many origins an organization names.
const (
	MaxViewerToken     = 15 * time.Minute
	DefaultViewerToken = 10 * time.Minute
	minViewerToken     = 30 * time.Second
	maxOrigins         = 50
)

// Viewing says where viewers of an organization's log may be, and for how long their tokens hold unless who makes them says so.
type Viewing struct {
	Origins   []string // https://app.acme.com, as browsers write them; sorted
	Lifetime  time.Duration
	UpdatedAt time.Time // zero: nobody has set anything
	By        daybook.Party
}

type viewingDocument struct {
	Org       daybook.OrgID `json:"org"`
	Origins   []string      `json:"origins"`
	Lifetime  int64         `json:"lifetime_s"`
	UpdatedAt moment        `json:"updated_at"`
	By        daybook.Party `json:"by"`
}

// Viewings keeps what organizations say of viewers. Safe for concurrent use; it caches nothing.
type Viewings struct {
	docs daybook.Documents
	now  func() time.Time
}

// NewViewings returns what is kept in docs.
func NewViewings(docs daybook.Documents, now func() time.Time) *Viewings {
	return &Viewings{docs: docs, now: now}
}

// Get returns what org says, or the defaults: no origin, ten minutes.
func (v *Viewings) Get(ctx context.Context, org daybook.OrgID) (Viewing, error) {
	d, err := v.docs.Get(ctx, kindViewing, "", string(org))
	if errors.Is(err, daybook.ErrNotExist) {
		return Viewing{Lifetime: DefaultViewerToken}, nil
	}
	var doc viewingDocument
	if err == nil {
		err = json.Unmarshal(d.Data, &doc)
	}
	if err != nil {
		return Viewing{}, fmt.Errorf("read viewer settings: %w", err)
	}
	return Viewing{Origins: doc.Origins, Lifetime: time.Duration(doc.Lifetime) * time.Second, UpdatedAt: doc.UpdatedAt.time(), By: doc.By}, nil
}

// Put stores what org says, in the place of what it said; durable on return. Origins are brought into their form; what is none is an
// *Error of CodeInvalid. before is told of what was and what will be; its error keeps it from being stored.
func (v *Viewings) Put(ctx context.Context, org daybook.OrgID, is Viewing, before func(was, is Viewing) error) (Viewing, error) {
	if len(is.Origins) > maxOrigins {
		return Viewing{}, invalidView("/origins", "there are at most %d origins.", maxOrigins)
	}
	origins := make([]string, 0, len(is.Origins))
	for i, text := range is.Origins {
		o, ok := ParseOrigin(text)
		if !ok {
			return Viewing{}, invalidView(fmt.Sprintf("/origins/%d", i), "an origin is https:// and a host, without a path: https://app.acme.com. Plain http is for this machine alone: http://localhost:3000.")
		}
		origins = append(origins, o)
	}
	slices.Sort(origins)
	is.Origins = slices.Compact(origins)
	if is.Lifetime == 0 {
		is.Lifetime = DefaultViewerToken
	}
	if is.Lifetime < minViewerToken || is.Lifetime > MaxViewerToken {
		return Viewing{}, invalidView("/lifetime_s", "a viewer token holds for 30 to 900 seconds.")
	}
	is.UpdatedAt = v.now()
	for {
		d, err := v.docs.Get(ctx, kindViewing, "", string(org))
		if errors.Is(err, daybook.ErrNotExist) {
			d, err = daybook.Document{Kind: kindViewing, ID: string(org)}, nil
		}
		var was Viewing
		if err == nil {
			was, err = v.Get(ctx, org)
		}
		if err == nil {
			err = before(was, is)
		}
		if err != nil {
			return Viewing{}, err
		}
		doc := viewingDocument{Org: org, Origins: is.Origins, Lifetime: int64(is.Lifetime.Seconds()), UpdatedAt: at(is.UpdatedAt), By: is.By}
		if d.Data, err = json.Marshal(doc); err != nil {
			return Viewing{}, fmt.Errorf("write viewer settings: %w", err)
		}
		if _, err = v.docs.Put(ctx, d); err == nil {
			return is, nil
		}
		if !errors.Is(err, daybook.ErrVersionMoved) {
			return Viewing{}, fmt.Errorf("write viewer settings: %w", err)
		}
	}
}

// Origins returns every origin that some organization names, sorted.
func (v *Viewings) Origins(ctx context.Context) ([]string, error) {
	var all []string
	err := list(ctx, v.docs, kindViewing, func(d daybook.Document) error {
		var doc viewingDocument
		if err := json.Unmarshal(d.Data, &doc); err != nil {
			return fmt.Errorf("read viewer settings: %w", err)
		}
		all = append(all, doc.Origins...)
		return nil
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// ParseOrigin brings an origin into the form in which browsers send it; false: it is none, or one of plain http that is not this machine.
func ParseOrigin(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || len(text) > 300 {
		return "", false
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	addr, err := netip.ParseAddr(host)
	local := host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
	if host == "" || strings.ContainsAny(host, "*%, ;'\"") || u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return "", false
	}
	for _, r := range host {
		if r > 0x7e || r < 0x21 {
			return "", false // browsers send the encoded form of a name, xn--…
		}
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && (u.Scheme != "https" || port != "443") && (u.Scheme != "http" || port != "80") {
		host += ":" + port
	}
	return u.Scheme + "://" + host, true
}

// ViewerTokenKey returns the secret from which the key of viewer tokens is made, itself made at the first call on a store.
func ViewerTokenKey(ctx context.Context, docs daybook.Documents) ([]byte, error) {
	return instanceSecret(ctx, docs, "viewer_token_key")
}
