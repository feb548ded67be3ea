package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is set by the release build: -ldflags "-X main.release=v1.2.3".
var release = "dev"

// version is the release, with the commit when it is a build of one's own.
func version() string {
	if release != "dev" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "dev-" + s.Value[:12]
			}
		}
	}
	return release
}

const versionFields = "version,go,os,arch"

func newVersion(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Version of this program",
		Example: `  $ daybook version
  $ daybook version -o json
  $ daybook version --json version`,
		Annotations: map[string]string{fieldsNote: versionFields, exitsNote: "0"},
		Args:        exactArgs(),
		RunE: func(_ *cobra.Command, _ []string) error {
			p, err := e.printer(splitFields(versionFields), heading{name: "VERSION"}, heading{name: "GO"}, heading{name: "OS"}, heading{name: "ARCH"})
			if err != nil {
				return err
			}
			row := map[string]string{"version": version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}
			return p.one(row, cell{text: row["version"]}, cell{text: row["go"]}, cell{text: row["os"]}, cell{text: row["arch"]})
		},
	}
}
