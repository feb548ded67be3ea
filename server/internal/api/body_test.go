package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/daybook-audit/daybook/server/internal/api"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstded(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

// eventOf returns an event of exactly n bytes.
func eventOf(n int) string {
	empty := event("a.b", `,"reason":""`)
	return event("a.b", `,"reason":"`+strings.Repeat("x", n-len(empty))+`"`)
}

// Each limit: what is exactly within it is recorded, one more is 413.
func TestLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{deps: func(d *api.Deps) { d.Limits = api.Limits{Body: 300_000, Decompressed: 400_000, Events: 10} }})
	ndjson := []string{"Content-Type", "application/x-ndjson"}
	many := func(n int) string { return strings.Repeat(event("a.b", "")+"\n", n) }
	pad := func(text string, n int) string { return text + strings.Repeat(" ", n-len(text)) }
	for _, tt := range []struct {
		name   string
		body   string
		header []string
		want   int
	}{
		{"event", eventOf(256 << 10), nil, 201},
		{"event+1", eventOf(256<<10 + 1), nil, 413},
		{"event of an array", "[" + eventOf(256<<10) + "]", nil, 201},
		{"event of an array+1", "[" + eventOf(256<<10+1) + "]", nil, 413},
		{"lines", many(10), ndjson, 201},
		{"lines+1", many(11), ndjson, 413},
		{"array", "[" + strings.TrimSuffix(strings.Repeat(event("a.b", "")+",", 10), ",") + "]", nil, 201},
		{"array+1", "[" + strings.TrimSuffix(strings.Repeat(event("a.b", "")+",", 11), ",") + "]", nil, 413},
		{"body", pad(many(2), 300_000), ndjson, 201},
		{"body+1", pad(many(2), 300_001), ndjson, 413},
		{"decompressed", gzipped(t, pad(many(2), 400_000)), append(ndjson, "Content-Encoding", "gzip"), 201},
		{"decompressed+1", gzipped(t, pad(many(2), 400_001)), append(ndjson, "Content-Encoding", "gzip"), 413},
		{"decompressed zstd", zstded(t, pad(many(2), 400_000)), append(ndjson, "Content-Encoding", "zstd"), 201},
		{"decompressed zstd+1", zstded(t, pad(many(2), 400_001)), append(ndjson, "Content-Encoding", "zstd"), 413},
	} {
		w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: tt.body, header: tt.header})
		if w.Code != tt.want {
			t.Errorf("%s: %d, want %d: %.200s", tt.name, w.Code, tt.want, w.Body)
		}
		if w.Code == 413 && !strings.Contains(w.Body.String(), `"too_large"`) {
			t.Errorf("%s: %s", tt.name, w.Body)
		}
		// The same without an announced length.
		r := ask{method: "POST", path: "/v1/events", key: f.acme, header: tt.header}.request(t.Context())
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(tt.body)), -1
		if w := f.send(r); w.Code != tt.want {
			t.Errorf("%s, chunked: %d, want %d", tt.name, w.Code, tt.want)
		}
	}
}

func TestOperatorsEventLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{deps: func(d *api.Deps) { d.Limits = api.Limits{Event: 1000} }})
	for n, want := range map[int]int{1000: 201, 1001: 413} {
		if w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: eventOf(n)}); w.Code != want {
			t.Errorf("%d bytes: %d %s", n, w.Code, w.Body)
		}
	}
	w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: "[" + event("a.b", "") + "," + eventOf(1001) + "]"})
	if w.Code != 413 || !strings.Contains(w.Body.String(), `"index":1`) {
		t.Errorf("in an array: %d %s", w.Code, w.Body)
	}
}

func TestCompressed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	post := func(body, encoding string) (int, string) {
		w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: body, header: []string{"Content-Encoding", encoding}})
		return w.Code, w.Body.String()
	}
	good := event("a.b", "")
	for range 3 { // the readers come from a pool
		for encoding, body := range map[string]string{"gzip": gzipped(t, good), "zstd": zstded(t, good), "identity": good, "x-gzip": gzipped(t, good)} {
			if code, text := post(body, encoding); code != 201 {
				t.Errorf("%s: %d %s", encoding, code, text)
			}
		}
		for name, body := range map[string]string{"gzip": "no gzip at all", "zstd": "no zstd at all"} {
			if code, text := post(body, name); code != 400 || !strings.Contains(text, "Content-Encoding") {
				t.Errorf("%s of nonsense: %d %s", name, code, text)
			}
		}
		for name, body := range map[string]string{"gzip": gzipped(t, good)[:30], "zstd": zstded(t, good)[:20]} {
			if code, text := post(body, name); code != 400 {
				t.Errorf("%s cut short: %d %s", name, code, text)
			}
		}
	}
	if code, text := post(good, "deflate"); code != 415 || !strings.Contains(text, "deflate") {
		t.Errorf("deflate: %d %s", code, text)
	}
}

// zeros is an endless body.
type zeros struct{ read int64 }

func (z *zeros) Read(p []byte) (int, error) {
	clear(p)
	z.read += int64(len(p))
	return len(p), nil
}

// A gigabyte behind a megabyte costs neither memory nor time: reading ends at the cap.
func TestBomb(t *testing.T) { // not parallel: it measures memory
	f := newFixture(t, setup{})
	const size = 1 << 30
	bombs := map[string]func() io.Reader{
		"gzip": func() io.Reader {
			r, w := io.Pipe()
			go func() {
				z := gzip.NewWriter(w)
				_, err := io.Copy(z, io.LimitReader(&zeros{}, size))
				_ = z.Close()
				_ = w.CloseWithError(err)
			}()
			return r
		},
		"zstd": func() io.Reader {
			r, w := io.Pipe()
			go func() {
				z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
				if err == nil {
					_, err = io.Copy(z, io.LimitReader(&zeros{}, size))
					_ = z.Close()
				}
				_ = w.CloseWithError(err)
			}()
			return r
		},
	}
	for encoding, bomb := range bombs {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		body := bomb()
		r := ask{method: "POST", path: "/v1/events", key: f.acme, header: []string{"Content-Encoding", encoding}}.request(t.Context())
		r.Body, r.ContentLength = io.NopCloser(body), -1
		w := f.send(r)
		if closer, ok := body.(io.Closer); ok {
			_ = closer.Close()
		}
		runtime.ReadMemStats(&after)
		if w.Code != 413 || w.Header().Get("Connection") != "close" {
			t.Errorf("%s: %d %s %v", encoding, w.Code, w.Body, w.Header())
		}
		if grown := int64(after.Sys) - int64(before.Sys); grown > 64<<20 {
			t.Errorf("%s: %d bytes more of memory", encoding, grown)
		}
	}
	endless := &zeros{}
	r := ask{method: "POST", path: "/v1/events", key: f.acme}.request(t.Context())
	r.Body, r.ContentLength = io.NopCloser(endless), -1
	if w := f.send(r); w.Code != 413 || endless.read > 16<<20 {
		t.Errorf("an endless body: %d after %d bytes", w.Code, endless.read)
	}
}

// brokenBody fails in the middle.
type brokenBody struct{}

func (brokenBody) Read(p []byte) (int, error) { return copy(p, `{"act`), io.ErrUnexpectedEOF }

func TestBodyCutShort(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	for _, encoding := range []string{"identity", "gzip", "zstd"} {
		r := ask{method: "POST", path: "/v1/events", key: f.acme, header: []string{"Content-Encoding", encoding}}.request(t.Context())
		r.Body, r.ContentLength = io.NopCloser(brokenBody{}), 100
		if w := f.send(r); w.Code != 400 || !strings.Contains(w.Body.String(), "incomplete_body") {
			t.Errorf("%s: %d %s", encoding, w.Code, w.Body)
		}
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	for media, want := range map[string]int{
		"": 201, "application/json": 201, "application/json; charset=utf-8": 201, "Application/JSON;charset=UTF-8": 201,
		"application/x-ndjson; charset=utf-8": 201, "application/json; charset=latin1": 415, "text/plain": 415, "application/jsonx": 415, ";": 415,
	} {
		a := ask{method: "POST", path: "/v1/events", key: f.acme, body: event("a.b", "")}
		if media != "" {
			a.header = []string{"Content-Type", media}
		}
		if w := f.do(a); w.Code != want {
			t.Errorf("%q: %d %s", media, w.Code, w.Body)
		}
	}
	w := f.do(ask{method: "POST", path: "/v1/organizations", key: f.admin, body: "{}", header: []string{"Content-Type", "application/x-ndjson"}})
	if w.Code != 415 || !strings.Contains(w.Body.String(), "send the header Content-Type: application/json.") {
		t.Errorf("NDJSON for an organization: %d %s", w.Code, w.Body)
	}
}

// Clients that send their bodies byte by byte hold nothing that others need, and little memory.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	server := f.server.HTTPServer()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	const slow = 500
	for i := range slow {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		half := "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.acme + "\r\nContent-Length: 5000000\r\n\r\n{\"action\""
		if i%2 == 0 {
			half = half[:60] // not even the header is there
		}
		if _, err := io.WriteString(conn, half); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 20 {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+listener.Addr().String()+"/v1/events", strings.NewReader(event("a.b", "")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+f.acme)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatalf("a quick client is not served: %v", err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusCreated {
			t.Errorf("a quick client: %d", response.StatusCode)
		}
	}
	if server.ReadHeaderTimeout <= 0 || server.ReadTimeout <= 0 || server.WriteTimeout <= 0 || server.IdleTimeout <= 0 || server.MaxHeaderBytes <= 0 {
		t.Error("a timeout is missing: a slow client would stay for ever")
	}
}

// A body that does not arrive in time is 408, and its connection ends.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	server := httptest.NewUnstartedServer(nil)
	server.Config = f.server.HTTPServer()
	server.Config.ReadTimeout = 300 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+f.acme+"\r\nContent-Length: 100\r\n\r\n{\"action\"")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "request_timeout") {
		t.Errorf("%v: %s", err, answer)
	}
}

func TestSplitLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil, "\n\n": nil, " \r\n\t\n": nil, "a": {"a"}, "a\n": {"a"}, "a\nb": {"a", "b"}, "\na\r\n\n b \n": {"a", "b"},
	} {
		got, err := api.SplitLines([]byte(text), nil, 10)
		if err != nil || !slices.Equal(texts(got), want) {
			t.Errorf("%q: %q, %v", text, texts(got), err)
		}
	}
}

func texts(bs [][]byte) []string {
	var out []string
	for _, b := range bs {
		out = append(out, string(b))
	}
	return out
}

// FuzzSplitArray: what encoding/json takes for an array is cut as it cuts it; what it refuses is refused, or an element is broken.
func FuzzSplitArray(f *testing.F) {
	for _, seed := range []string{
		`[]`, ` [ ] `, `[1,2]`, `[{"a":[1,{"b":"]"}]},"x\\\"]"]`, `["\\","\""]`, `[1 2]`, `[1,]`, `[,1]`, `[`, `[1`, `["a`, `[1]]`, `[1] x`, `[{]}]`,
		"[\"\\\\\\\"\"]", `[{"a":1]},{"b":2}]`, `[true,null,-1.5e3]`, `[[[[]]]]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "[") {
			return
		}
		got, err := api.SplitArray([]byte(text), nil, 1<<20)
		var want []json.RawMessage
		if json.Unmarshal([]byte(text), &want) == nil {
			if err != nil {
				t.Fatalf("%q is an array: %v", text, err)
			}
			if len(got) != len(want) {
				t.Fatalf("%q has %d elements, cut into %d", text, len(want), len(got))
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("%q: element %d is %q, cut as %q", text, i, want[i], got[i])
				}
			}
			return
		}
		if err == nil && !slices.ContainsFunc(got, func(e []byte) bool { return !json.Valid(e) }) {
			t.Fatalf("%q is no array and was cut into %q", text, got)
		}
	})
}

// FuzzEvents: whatever comes, the answer is one that the document knows, and never 500.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{event("a.b", ""), "[" + event("a.b", "") + "]", event("a", "") + "\n" + event("b", ""), "[{}", "null", "\x00", `{"before":1,"after":2}`} {
		f.Add(seed, false, "")
		f.Add(seed, true, "k")
	}
	fx := newFixture(f, setup{})
	f.Fuzz(func(t *testing.T, body string, lines bool, key string) {
		a := ask{method: "POST", path: "/v1/events?partial=true", key: fx.acme, body: body}
		if lines {
			a.header = append(a.header, "Content-Type", "application/x-ndjson")
		}
		if key != "" {
			a.header = append(a.header, "Idempotency-Key", fmt.Sprintf("%x", key))
		}
		w := httptest.NewRecorder()
		fx.server.ServeHTTP(w, a.request(t.Context()))
		if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
