package witness

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/http"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/durable"
)

// Timestamp is a timestamp authority (RFC 3161): it signs that it has seen a checkpoint, and when. The answer is kept in a folder beside
// the note, for whoever checks it: openssl ts -verify -in FILE.tsr -data FILE.note -CAfile CA.
type Timestamp struct {
	url  string
	http *http.Client
	Folder
}

var _ daybook.Witness = (*Timestamp)(nil)

// NewTimestamp returns the authority at url, whose answers are kept in the folder dir. client makes the requests.
func NewTimestamp(client *http.Client, url, dir string) *Timestamp {
	return &Timestamp{url, client, NewFolder(dir)}
}

// Name returns the host.
func (t *Timestamp) Name() string { return "timestamp " + host(t.url) }

// Object identifiers.
var (
	oidSHA256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
)

type algorithm struct {
	OID  asn1.ObjectIdentifier
	Null asn1.RawValue `asn1:"optional"`
}

type imprint struct {
	Algorithm algorithm
	Hash      []byte
}

type timestampRequest struct {
	Version  int
	Imprint  imprint
	Nonce    *big.Int
	CertsReq bool
}

// Tell asks for a timestamp of SHA-256 of the note, checks that the answer is one of it, and keeps both.
func (t *Timestamp) Tell(ctx context.Context, c *daybook.AnchorCheckpoint) ([]byte, error) {
	hash := sha256.Sum256(c.Note)
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, fmt.Errorf("ask for a timestamp: %w", err)
	}
	request, err := asn1.Marshal(timestampRequest{
		Version: 1, Imprint: imprint{algorithm{oidSHA256, asn1.NullRawValue}, hash[:]}, Nonce: nonce, CertsReq: true,
	})
	if err != nil {
		return nil, fmt.Errorf("ask for a timestamp: %w", err)
	}
	status, answer, err := send(ctx, t.http, t.url, "application/timestamp-query", request)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d: %.200q", host(t.url), status, answer)
	}
	if err := checkTimestamp(answer, hash[:], nonce); err != nil {
		return nil, fmt.Errorf("the timestamp of %s: %w", host(t.url), err)
	}
	// A crash between the two leaves a timestamp without its note, which the anchor log has too.
	if err := durable.WriteFile(t.file(c, "tsr"), answer, 0o644); err != nil {
		return nil, err
	}
	return t.Folder.Tell(ctx, c)
}

// checkTimestamp checks that the response is granted and stamps the hash and nonce. Who signed it is for whoever relies on it.
func checkTimestamp(response, hash []byte, nonce *big.Int) error {
	var r struct {
		Status struct {
			Status int
			Text   asn1.RawValue `asn1:"optional"`
			Fail   asn1.RawValue `asn1:"optional"`
		}
		Token struct {
			Type    asn1.ObjectIdentifier
			Content asn1.RawValue `asn1:"explicit,tag:0"`
		} `asn1:"optional"`
	}
	if rest, err := asn1.Unmarshal(response, &r); err != nil || len(rest) > 0 {
		return fmt.Errorf("not a response of RFC 3161: %w", errors.Join(err))
	}
	if r.Status.Status != 0 && r.Status.Status != 1 {
		return fmt.Errorf("it was refused with status %d", r.Status.Status)
	}
	var signed struct {
		Version int
		Digests asn1.RawValue
		Content struct {
			Type asn1.ObjectIdentifier
			Info []byte `asn1:"explicit,tag:0"`
		}
		Certificates asn1.RawValue `asn1:"optional,tag:0"`
		Revocations  asn1.RawValue `asn1:"optional,tag:1"`
		Signers      asn1.RawValue
	}
	if _, err := asn1.Unmarshal(r.Token.Content.Bytes, &signed); err != nil {
		if _, err = asn1.Unmarshal(r.Token.Content.FullBytes, &signed); err != nil {
			return fmt.Errorf("no signed token: %w", err)
		}
	}
	if !r.Token.Type.Equal(oidSignedData) || !signed.Content.Type.Equal(oidTSTInfo) {
		return errors.New("no timestamp token")
	}
	var info struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint imprint
		Serial  *big.Int
		Time    asn1.RawValue
	}
	rest, err := asn1.Unmarshal(signed.Content.Info, &info)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("no timestamp in the token: %w", errors.Join(err))
	}
	if !info.Imprint.Algorithm.OID.Equal(oidSHA256) || !bytes.Equal(info.Imprint.Hash, hash) {
		return errors.New("it stamps another checkpoint")
	}
	mine, err := asn1.Marshal(nonce)
	if err != nil || !bytes.Contains(signed.Content.Info, mine) {
		return errors.New("it answers another request")
	}
	return nil
}
