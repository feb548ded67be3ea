//go:build !noui

package ui

import "embed"

// dist is what `make ui` writes. It is committed: building the server needs no Node.
//
//go:embed all:dist
var dist embed.FS
