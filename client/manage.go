package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/daybook-audit/daybook"
)

// Organization is an org as the server describes it.
type Organization struct {
	ID        daybook.OrgID `json:"id"`
	Name      string        `json:"name"`
	CreatedAt string        `json:"created_at"`
	Epoch     int           `json:"epoch"`
	State     string        `json:"state"`
	Size      int64         `json:"size"`
}

// Key describes an API key. Secret is set only in the answer that made it.
type Key struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Org        *string    `json:"org"` // nil: all orgs
	Scopes     []string   `json:"scopes"`
	Labels     []string   `json:"labels,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
	Secret     string     `json:"key,omitempty"`
}

// NewKey asks for a key.
type NewKey struct {
	Name      string     `json:"name"`
	Org       *string    `json:"org"` // nil: all orgs
	Scopes    []string   `json:"scopes"`
	Labels    []string   `json:"labels,omitempty"` // words that a door may ask for beside the scopes
	ExpiresAt *time.Time `json:"expires_at"`
}

// Whoami is the key asked with, and the server's version.
type Whoami struct {
	Key
	Version string `json:"version"`
}

// CreateOrganization makes an org; with an empty id the server makes one.
func (c *Client) CreateOrganization(ctx context.Context, id daybook.OrgID, name string) (Organization, error) {
	var out Organization
	body, err := json.Marshal(struct {
		ID   daybook.OrgID `json:"id,omitempty"`
		Name string        `json:"name,omitempty"`
	}{id, name})
	if err != nil {
		return out, fmt.Errorf("encode the organization: %w", err)
	}
	err = c.json(ctx, call{method: http.MethodPost, path: "/v1/organizations", body: body, once: true}, &out)
	return out, err
}

// Organizations returns every org that the key may see.
func (c *Client) Organizations(ctx context.Context) ([]Organization, error) {
	var all []Organization
	cursor := ""
	for {
		var page struct {
			Organizations []Organization `json:"organizations"`
			NextCursor    string         `json:"next_cursor"`
		}
		if err := c.get(ctx, "/v1/organizations", values("limit", strconv.Itoa(1000), "cursor", cursor), "", &page); err != nil {
			return nil, err
		}
		all = append(all, page.Organizations...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// Organization returns one org.
func (c *Client) Organization(ctx context.Context, id daybook.OrgID) (Organization, error) {
	var out Organization
	err := c.get(ctx, "/v1/organizations/"+segment(string(id)), nil, "", &out)
	return out, err
}

// CreateKey makes a key. Its secret is in the answer and nowhere else.
func (c *Client) CreateKey(ctx context.Context, k NewKey) (Key, error) {
	var out Key
	body, err := json.Marshal(k)
	if err != nil {
		return out, fmt.Errorf("encode the key: %w", err)
	}
	err = c.json(ctx, call{method: http.MethodPost, path: "/v1/keys", body: body, once: true}, &out)
	return out, err
}

// Keys returns every key that the caller may manage, revoked ones included.
func (c *Client) Keys(ctx context.Context) ([]Key, error) {
	var all []Key
	cursor := ""
	for {
		var page struct {
			Keys       []Key  `json:"keys"`
			NextCursor string `json:"next_cursor"`
		}
		if err := c.get(ctx, "/v1/keys", values("limit", strconv.Itoa(1000), "cursor", cursor), "", &page); err != nil {
			return nil, err
		}
		all = append(all, page.Keys...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// RevokeKey ends a key for good. A second time is fine.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	return c.json(ctx, call{method: http.MethodDelete, path: "/v1/keys/" + segment(id)}, nil)
}

// Whoami tells who the server takes the caller for.
func (c *Client) Whoami(ctx context.Context) (Whoami, error) {
	var out Whoami
	err := c.get(ctx, "/v1/whoami", nil, "", &out)
	return out, err
}

// Backup writes a consistent copy of the server's SQLite store to w and returns its length. After an error w holds a part.
func (c *Client) Backup(ctx context.Context, w io.Writer) (int64, error) {
	res, err := c.send(ctx, call{method: http.MethodGet, path: "/v1/backup", accept: "application/octet-stream"})
	if err != nil {
		return 0, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	n, err := io.Copy(w, res.Body)
	if err == nil && res.ContentLength >= 0 && n != res.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, fmt.Errorf("read the backup: %w", err)
	}
	return n, nil
}

// Ready asks whether the server takes requests. It returns the Date header of the answer, for comparing clocks.
func (c *Client) Ready(ctx context.Context) (time.Time, error) {
	res, err := c.sendOnce(ctx, call{method: http.MethodGet, path: "/readyz"})
	if err != nil {
		return time.Time{}, err
	}
	defer res.Body.Close() //nolint:errcheck // nothing of it is needed
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil
	}
	return at, nil
}

// RotateKey adds the next signing key to an organization's log and returns it; readers get it by another way than this. An
// *daybook.Error of CodeConflict: the last rotation is not over.
func (c *Client) RotateKey(ctx context.Context, org daybook.OrgID) (LogVkey, error) {
	var out LogVkey
	path, err := c.logPath(org, "/keys")
	if err == nil {
		err = c.json(ctx, call{method: http.MethodPost, path: path, org: org, once: true}, &out)
	}
	return out, err
}
