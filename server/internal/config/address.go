package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// words are those of libpq with which the address of a database begins that is no URL.
var words = regexp.MustCompile(`^\s*(host|hostaddr|port|dbname|user|password|service|sslmode)\s*=`)

// IsPostgres reports whether address names a PostgreSQL database: a URL of it, or key=value words as libpq takes them.
func IsPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") || words.MatchString(address)
}

// OnPostgres reports whether the log is kept in a PostgreSQL database, which other nodes may use too.
func (c *Config) OnPostgres() bool { return IsPostgres(c.DB) }

// Folder is where what is kept in files beside the log lies: data_dir, or that of the SQLite file, or the working folder.
func (c *Config) Folder() string {
	switch {
	case c.DataDir != "":
		return c.DataDir
	case c.OnPostgres():
		return "."
	}
	return filepath.Dir(c.DB)
}

// passwordWord is a password among key=value words: quoted, or up to a space that no backslash stands before.
var passwordWord = regexp.MustCompile(`(?i)(\w*password\w*\s*=\s*)('(?:[^'\\]|\\.)*'?|(?:[^\s\\]|\\.)+)`)

// MaskAddress hides the password in the address of a database, and whatever follows the scheme of a URL that cannot be read. It is for
// whatever is logged or shown.
func MaskAddress(text string) string {
	if !strings.Contains(text, "://") || words.MatchString(text) {
		return passwordWord.ReplaceAllString(text, "${1}********")
	}
	u, err := url.Parse(text)
	if err != nil {
		scheme, _, _ := strings.Cut(text, "://")
		return scheme + "://********"
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), "********")
	}
	q := u.Query()
	for name := range q {
		if strings.Contains(strings.ToLower(name), "password") {
			q.Set(name, "********")
			u.RawQuery = q.Encode()
		}
	}
	return strings.ReplaceAll(u.String(), "%2A", "*")
}

// ShowsPassword reports whether there is a password in the address itself.
func ShowsPassword(address string) bool {
	return strings.Contains(MaskAddress(address), "********") && !strings.Contains(address, "********")
}
