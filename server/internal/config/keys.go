package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// Size is a number of bytes. It is written as a number, or a number with KiB, MiB or GiB.
type Size int64

// String returns the shortest exact form.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func parseSize(text string) (Size, error) {
	factor := int64(1)
	number := text
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			factor, number = u.bytes, strings.TrimSpace(rest)
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/factor {
		return 0, fmt.Errorf("%q is not a size: write a number, or one with KiB, MiB or GiB", text)
	}
	return Size(n * factor), nil
}

// key is one setting, as its struct field describes it.
type key struct {
	name, fallback string
	oneOf          []string
	or             []string // variables of other programs that are read when nothing else says anything
	secret         string   // "all": never shown; "url": without the password
	perNode        bool     // nodes of one database may differ in it
	help           string
	field          int
}

// flag and variable are the other two spellings of the name.
func (k key) flag() string     { return strings.ReplaceAll(k.name, "_", "-") }
func (k key) variable() string { return "DAYBOOK_" + strings.ToUpper(k.name) }

// kind is the word for the value in --help.
func (k key) kind() string {
	switch reflect.TypeFor[Config]().Field(k.field).Type {
	case reflect.TypeFor[bool]():
		return "bool"
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[string]():
		return "string"
	case reflect.TypeFor[[]string]():
		return "list"
	}
	return "number"
}

// keys lists the settings in the order of the struct.
func keys() []key {
	help := comments()
	t := reflect.TypeFor[Config]()
	ks := make([]key, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		k := key{name: f.Tag.Get("key"), fallback: f.Tag.Get("default"), secret: f.Tag.Get("secret"), perNode: f.Tag.Get("per") == "node", field: i}
		if of := f.Tag.Get("oneof"); of != "" {
			k.oneOf = strings.Split(of, "|")
		}
		if or := f.Tag.Get("or"); or != "" {
			k.or = strings.Split(or, ",")
		}
		k.help = help[k.name]
		ks = append(ks, k)
	}
	return ks
}

// comments reads the comment above each field out of the source of this package.
func comments() map[string]string {
	found := map[string]string{}
	var block []string
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "//"); ok {
			block = append(block, strings.TrimSpace(text))
			continue
		}
		if _, rest, ok := strings.Cut(line, "`key:\""); ok {
			name, _, _ := strings.Cut(rest, `"`)
			found[name] = strings.Join(block, " ")
		}
		block = nil
	}
	return found
}

// set reads text into the field of k.
func (k key) set(c *Config, text string) error {
	if len(k.oneOf) > 0 && !slices.Contains(k.oneOf, text) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(k.oneOf, ", "))
	}
	v := reflect.ValueOf(c).Elem().Field(k.field)
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = text
	case *bool:
		return parse(p, text, "true or false", strconv.ParseBool)
	case *int:
		return parse(p, text, "a whole number", strconv.Atoi)
	case *int64:
		return parse(p, text, "a whole number", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case *float64:
		return parse(p, text, "a number", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	case *time.Duration:
		return parse(p, text, "a length of time such as 30s, 5m or 168h", time.ParseDuration)
	case *Size:
		n, err := parseSize(text)
		if err != nil {
			return err
		}
		*p = n
	case *[]string:
		*p = nil
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimSpace(one); one != "" {
				*p = append(*p, one)
			}
		}
	default:
		return fmt.Errorf("a field of type %s cannot be set", v.Type())
	}
	return nil
}

func parse[T any](to *T, text, want string, read func(string) (T, error)) error {
	v, err := read(text)
	if err != nil {
		return fmt.Errorf("%q is not %s", text, want)
	}
	*to = v
	return nil
}

// show prints the field of k, secrets masked.
func (k key) show(c *Config) string {
	v := reflect.ValueOf(c).Elem().Field(k.field)
	text := fmt.Sprint(v.Interface())
	if list, ok := reflect.TypeAssert[[]string](v); ok {
		text = strings.Join(list, ",")
	}
	switch {
	case k.secret == "all" && text != "":
		return "********"
	case k.secret == "url":
		return MaskAddress(text)
	}
	return text
}

// check refuses values that contradict each other or a limit that is not ours to move.
func (c *Config) check() error {
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("tls_cert and tls_key go together: only one of them is set")
	case c.DBShards < 1 || c.DBShards > 64:
		return fmt.Errorf("db_shards must be between 1 and 64, is %d", c.DBShards)
	case c.LeaseTime < time.Second:
		return fmt.Errorf("lease_time must be at least 1s, is %s", c.LeaseTime)
	case c.DBMaxConnections < 0 || c.DBTimeout < time.Second:
		return errors.New("db_max_connections must not be negative, and db_timeout at least 1s")
	case c.OnPostgres() && c.HighWater != "" && !IsPostgres(c.HighWater):
		return errors.New("highwater is a file, which belongs to one node: the nodes of a PostgreSQL database share their marks. Give the address of another database (postgres://…)")
	case c.LimitBody < 1 || c.LimitDecompressed < 1 || c.LimitEvents < 1:
		return errors.New("limit_body, limit_decompressed and limit_events must be at least 1")
	case c.LimitEvent < 1 || c.LimitEvent > 256<<10:
		return fmt.Errorf("limit_event must be between 1 and 256KiB, is %s", c.LimitEvent)
	case c.RateLimit < 0:
		return errors.New("rate_limit must not be negative")
	case c.QueueBytes < 1 || c.TailBytes < 1:
		return errors.New("queue_bytes and tail_bytes must be at least 1")
	case c.IdempotencyWindow < 24*time.Hour:
		return fmt.Errorf("idempotency_window must be at least 24h, is %s", c.IdempotencyWindow)
	case c.AnchorInterval < 10*time.Second:
		return fmt.Errorf("anchor_interval must be at least 10s, is %s", c.AnchorInterval)
	case c.MasterKey != "" && c.MasterKeyFile != "":
		return errors.New("master_key and master_key_file are both set: there is one master key")
	case c.ExportKeep < time.Hour || c.ExportWorkers < 0:
		return errors.New("export_keep must be at least 1h, and export_workers not negative")
	case c.PublicURL != "" && !publicURL(c.PublicURL):
		return fmt.Errorf("public_url must be http:// or https:// and a host, without a path, is %q", MaskAddress(c.PublicURL))
	case c.AuditReadsWindow < time.Second:
		return fmt.Errorf("audit_reads_window must be at least 1s, is %s", c.AuditReadsWindow)
	case !daybook.OrgID(c.TavivoOrg).Valid():
		return errors.New("tavivo_org must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ -")
	case !daybook.OrgID(c.RetracedOrg).Valid():
		return fmt.Errorf("retraced_org must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ -, is %q", c.RetracedOrg)
	case c.RetracedBulkMax < 1 || c.RetracedSessionTTL < time.Minute:
		return errors.New("retraced_bulk_max must be at least 1, and retraced_session_ttl at least 1m")
	case c.RestHapiMaxLimit < 1 || c.RestHapiMaxLimit > 10_000:
		return errors.New("resthapi_max_limit must be between 1 and 10000")
	case c.JWTKeys != "" && c.JWTSecret != "":
		return errors.New("jwt_keys and jwt_secret are both set: there is one issuer")
	case (c.JWTKeys != "" || c.JWTSecret != "") != (c.JWTIssuer != ""):
		return errors.New("jwt_issuer goes together with jwt_keys or jwt_secret: only one of them is set")
	case c.CommitTimeout <= 0 || c.ShutdownTimeout <= 0:
		return errors.New("commit_timeout and shutdown_timeout must be more than 0")
	}
	if _, err := c.RestHapiTTL(); err != nil {
		return err
	}
	_, err := c.Proxies()
	return err
}

// RestHapiTTL returns the time to live of the rest-hapi door; the zero Period: there is none.
func (c *Config) RestHapiTTL() (daybook.Period, error) {
	if c.RestHapiAuditLogTTL == "" {
		return daybook.Period{}, nil
	}
	p, err := daybook.ParsePeriod(c.RestHapiAuditLogTTL)
	if err != nil {
		return p, fmt.Errorf("resthapi_audit_log_ttl: %w", err)
	}
	return p, nil
}

func publicURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.Scheme+"://"+u.Host == text
}

// Proxies returns the trusted proxies as networks.
func (c *Config) Proxies() ([]netip.Prefix, error) {
	nets := make([]netip.Prefix, 0, len(c.TrustedProxies))
	for _, text := range c.TrustedProxies {
		if addr, err := netip.ParseAddr(text); err == nil {
			nets = append(nets, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		nets = append(nets, p.Masked())
	}
	return nets, nil
}
