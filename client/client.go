// Package client speaks to a Daybook server over HTTP: it records, searches, follows and manages.
//
// A [Client] is a [daybook.Recorder]: what records into a Book in the same process records over the network by changing one
// line. Calls that are safe to repeat are repeated; see [Options].
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

var _ daybook.Recorder = (*Client)(nil)

// Options says how to reach a server. Only URL is needed.
type Options struct {
	URL       string        // "https://audit.example.com"; a path in it is kept as a prefix
	Key       string        // sent as a bearer token; empty: none
	Org       daybook.OrgID // sent when a call names no org; empty: the key's own
	UserAgent string        // default "daybook-go"
	HTTP      *http.Client  // default: one of its own, with the proxies of the environment
	Attempts  int           // how often a call that may be repeated is sent at most; default 5
	// MaxDelay bounds the pause between attempts, which doubles from 100 ms with full jitter; a longer Retry-After of the server
	// ends the attempts. Default 10 s.
	MaxDelay time.Duration
}

// A Client talks to one server. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	o     Options
	pause func(ctx context.Context, d time.Duration) error // replaced by tests
}

// New returns a client; it sends nothing yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("server address %q: it must begin with http:// or https:// and name a host", o.URL)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	if o.HTTP == nil {
		transport, ok := http.DefaultTransport.(*http.Transport)
		if !ok {
			transport = &http.Transport{Proxy: http.ProxyFromEnvironment}
		}
		transport = transport.Clone()
		transport.MaxIdleConnsPerHost = 64
		o.HTTP = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.UserAgent == "" {
		o.UserAgent = "daybook-go"
	}
	if o.Attempts <= 0 {
		o.Attempts = 5
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = 10 * time.Second
	}
	return &Client{base: base, o: o, pause: pause}, nil
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call is one request to the API.
type call struct {
	method, path string // path is already escaped
	query        url.Values
	org          daybook.OrgID
	body         []byte
	contentType  string // with body; empty: application/json
	accept       string
	header       http.Header
	once         bool // must not be repeated: a second time would not mean the same
}

// send sends c until the server has answered it, and returns the answer of a 2xx. Everything else becomes an error: an
// *daybook.Error for an answer that says what is wrong, one that wraps daybook.ErrUnknownOutcome when a write may have been
// carried out or not.
func (c *Client) send(ctx context.Context, r call) (*http.Response, error) {
	delay := 100 * time.Millisecond
	for attempt := 1; ; attempt++ {
		res, err := c.sendOnce(ctx, r)
		if err == nil {
			return res, nil
		}
		wait, again := retryAfter(err)
		if !again || r.once || attempt >= c.o.Attempts || wait > c.o.MaxDelay || ctx.Err() != nil {
			return nil, err
		}
		if jitter := rand.N(delay) + 1; wait < jitter { //nolint:gosec // G404: spreads retries, keeps no secret
			wait = jitter
		}
		if c.pause(ctx, wait) != nil {
			return nil, err
		}
		delay = min(2*delay, c.o.MaxDelay)
	}
}

// sendOnce sends c one time.
func (c *Client) sendOnce(ctx context.Context, r call) (*http.Response, error) {
	u := *c.base
	u.RawPath = u.EscapedPath() + r.path
	path, err := url.PathUnescape(u.RawPath)
	if err != nil {
		return nil, fmt.Errorf("path %s: %w", r.path, err)
	}
	u.Path, u.RawQuery = path, r.query.Encode()
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	maps.Copy(req.Header, r.header)
	req.Header.Set("User-Agent", c.o.UserAgent)
	if c.o.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Key)
	}
	if org := first(r.org, c.o.Org); org != "" {
		req.Header.Set("Daybook-Org", string(org))
	}
	if r.body != nil {
		req.Header.Set("Content-Type", first(r.contentType, "application/json"))
	}
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	res, err := c.o.HTTP.Do(req)
	if err != nil {
		return nil, &transportError{write: r.method != http.MethodGet, err: err}
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close() //nolint:errcheck // nothing of it is needed any more
	return nil, problemOf(res, r)
}

// get reads a JSON answer into out.
func (c *Client) get(ctx context.Context, path string, q url.Values, org daybook.OrgID, out any) error {
	return c.json(ctx, call{method: http.MethodGet, path: path, query: q, org: org}, out)
}

// json sends r and reads the JSON answer into out, which may be nil.
func (c *Client) json(ctx context.Context, r call, out any) error {
	r.accept = "application/json"
	res, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return &transportError{write: r.method != http.MethodGet, err: err}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("answer to %s %s is not what a Daybook server says: %w", r.method, r.path, err)
	}
	return nil
}

// first returns the first of a and b that is not empty.
func first[T ~string](a, b T) T {
	if a != "" {
		return a
	}
	return b
}

// retryAfter says whether the request that failed with err may be sent again, and what pause the server asks for.
func retryAfter(err error) (time.Duration, bool) {
	if p, ok := errors.AsType[*Problem](err); ok {
		switch p.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusInsufficientStorage:
			return p.RetryAfter, p.Code != "log_frozen"
		}
		return 0, false
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return 0, false // trying again does not make it trusted
	}
	var t *transportError
	return 0, errors.As(err, &t) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// seconds reads the number of a Retry-After header.
func seconds(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}
