package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// contextFile is the file of named servers. It holds keys, so nobody but its owner may read it.
type contextFile struct {
	Current  string                  `json:"current,omitempty"`
	Contexts map[string]savedContext `json:"contexts"`
}

// savedContext is one named server.
type savedContext struct {
	Server string `json:"server,omitempty"`
	Org    string `json:"org,omitempty"`
	Key    string `json:"key,omitempty"`
	CA     string `json:"ca,omitempty"`
}

// contextPath is $XDG_CONFIG_HOME/daybook/config.json.
func (e *env) contextPath() (string, error) {
	dir := e.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := e.getenv("HOME")
		if home == "" {
			return "", errors.New("neither XDG_CONFIG_HOME nor HOME is set: there is no place for contexts")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "daybook", "config.json"), nil
}

// contexts reads the file; a missing one is empty. One that others may read is refused.
func (e *env) contexts() (*contextFile, error) {
	path, err := e.contextPath()
	if err != nil {
		return &contextFile{}, nil //nolint:nilerr // no home: flags and environment alone
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &contextFile{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the contexts: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &usageError{message: fmt.Sprintf("%s holds keys and others may read it (mode %04o)", path, info.Mode().Perm()), try: "chmod 600 " + path}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the contexts: %w", err)
	}
	f := &contextFile{}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return f, nil
}

// save writes the file anew, mode 0600, in one step.
func (e *env) saveContexts(f *contextFile) error {
	path, err := e.contextPath()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the contexts: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save the contexts: %w", err)
	}
	// CreateTemp makes the file 0600; a crash before the rename leaves the old file as it was.
	tmp, err := os.CreateTemp(filepath.Dir(path), ".config-*")
	if err != nil {
		return fmt.Errorf("save the contexts: %w", err)
	}
	_, err = tmp.Write(append(text, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save the contexts: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// chosen returns the context in force and its name; both are empty when there is none.
func (e *env) chosen() (string, savedContext, error) {
	f, err := e.contexts()
	if err != nil {
		return "", savedContext{}, err
	}
	name, asked := e.context, "--context"
	if name == "" {
		name, asked = e.getenv("DAYBOOK_CONTEXT"), "DAYBOOK_CONTEXT"
	}
	if name == "" {
		name, asked = f.Current, ""
	}
	if name == "" {
		return "", savedContext{}, nil
	}
	c, ok := f.Contexts[name]
	if !ok && asked != "" {
		return "", savedContext{}, &usageError{message: fmt.Sprintf("%s: there is no context %q", asked, name), try: "daybook context ls"}
	}
	return name, c, nil
}

// source is a value and where it was found.
type source struct{ value, from string }

// pick returns the first value that is set: flag, environment, context, default.
func (e *env) pickSetting(flag, name, variable, saved, fallback string) source {
	switch {
	case flag != "":
		return source{flag, "--" + name}
	case e.getenv(variable) != "":
		return source{e.getenv(variable), variable}
	case saved != "":
		return source{saved, "context"}
	}
	return source{fallback, "default"}
}

// key returns the API key and where it came from.
func (e *env) key() (key, from string, err error) {
	read := func(path string) (string, error) {
		if path == "-" {
			return "", usage("a key cannot be read from stdin here: write it to a file with mode 0600")
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("read the key: %w", err)
		}
		return strings.TrimSpace(string(text)), nil
	}
	switch {
	case e.apiKey != "":
		return e.apiKey, "--api-key", nil
	case e.apiKeyFile != "":
		key, err = read(e.apiKeyFile)
		return key, e.apiKeyFile, err
	case e.getenv("DAYBOOK_API_KEY") != "":
		return e.getenv("DAYBOOK_API_KEY"), "DAYBOOK_API_KEY", nil
	case e.getenv("DAYBOOK_API_KEY_FILE") != "":
		path := e.getenv("DAYBOOK_API_KEY_FILE")
		key, err = read(path)
		return key, path, err
	}
	name, c, err := e.chosen()
	if err != nil || c.Key == "" {
		return "", "", err
	}
	return c.Key, "context " + name, nil
}
