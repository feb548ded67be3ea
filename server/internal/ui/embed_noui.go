//go:build noui

package ui

import "embed"

// dist is empty: this binary has no console.
var dist embed.FS
