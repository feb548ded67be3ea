package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

const defaultServer = "http://127.0.0.1:8080"

// target is where a command goes: server, org and key with their sources.
type target struct {
	context          string
	server, org, key source
	ca               string
}

// target resolves flags, environment and contexts.
func (e *env) target() (target, error) {
	name, saved, err := e.chosen()
	if err != nil {
		return target{}, err
	}
	t := target{
		context: name,
		server:  e.pickSetting(e.server, "server", "DAYBOOK_SERVER", saved.Server, defaultServer),
		org:     e.pickSetting(e.org, "org", "DAYBOOK_ORG", saved.Org, ""),
		ca:      saved.CA,
	}
	if e.ca != "" {
		t.ca = e.ca
	}
	key, from, err := e.key()
	t.key = source{key, from}
	return t, err
}

// connect returns a client for the server in force.
func (e *env) connect() (*client.Client, error) {
	t, err := e.target()
	if err != nil {
		return nil, err
	}
	if e.verbose {
		e.note("server %s (%s), organization %q (%s), key from %s", t.server.value, t.server.from, t.org.value, t.org.from, orDefault(t.key.from, "nowhere"))
	}
	if e.apiKey != "" {
		e.warn("a key on the command line is seen by every user of this machine; use DAYBOOK_API_KEY or --api-key-file")
	}
	if org := daybook.OrgID(t.org.value); org != "" && !org.Valid() {
		return nil, usage("%q is no organization id: 1 to 128 of A–Z a–z 0–9 . _ : @ -", t.org.value)
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: e.timeout,
	}
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, usage("%s holds no certificate in PEM form", t.ca)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	c, err := client.New(client.Options{
		URL: t.server.value, Key: t.key.value, Org: daybook.OrgID(t.org.value), UserAgent: "daybook-cli/" + version(), Attempts: 4, MaxDelay: 5 * time.Second,
		HTTP: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	if err != nil {
		return nil, usage("%v", err)
	}
	return c, nil
}

// orgOf returns the organization of --org, the environment or the context, else that of the key: what names a log in a path.
func (e *env) orgOf(ctx context.Context, c *client.Client) (daybook.OrgID, error) {
	t, err := e.target()
	if err != nil || t.org.value != "" {
		return daybook.OrgID(t.org.value), err
	}
	who, err := c.Whoami(ctx)
	if err != nil {
		return "", err
	}
	if who.Org == nil {
		return "", usage("the key is for all organizations: name one with --org ID")
	}
	return daybook.OrgID(*who.Org), nil
}
