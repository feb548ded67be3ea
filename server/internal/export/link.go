package export

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"time"
)

// Refusals of an address.
var (
	// ErrLinkInvalid says that an address was not made here.
	ErrLinkInvalid = errors.New("the signature of this link is not valid")
	// ErrLinkExpired says that an address is too old: asking for the export gives another.
	ErrLinkExpired = errors.New("this link has expired")
)

// Link returns the query string with which the file of an export is fetched without a key, and until when that works.
func (r *Runner) Link(id string) (query string, until time.Time) {
	until = r.o.Now().Add(r.o.Link).Truncate(time.Second)
	exp := strconv.FormatInt(until.Unix(), 10)
	return "exp=" + exp + "&sig=" + base64.RawURLEncoding.EncodeToString(r.sign(id, exp)), until
}

func (r *Runner) sign(id, exp string) []byte {
	m := hmac.New(sha256.New, r.key)
	m.Write([]byte("daybook/export-link/v1\n" + id + "\n" + exp))
	return m.Sum(nil)
}

// CheckLink judges the exp and sig of an address: nil, ErrLinkInvalid or ErrLinkExpired.
func (r *Runner) CheckLink(id, exp, sig string) error {
	got, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil || !hmac.Equal(got, r.sign(id, exp)) {
		return ErrLinkInvalid
	}
	until, err := strconv.ParseInt(exp, 10, 64)
	if err != nil {
		return ErrLinkInvalid
	}
	if !r.o.Now().Before(time.Unix(until, 0)) {
		return ErrLinkExpired
	}
	return nil
}
