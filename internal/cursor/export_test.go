package cursor

import "slices"

// Signed returns the text of any body.
func Signed(body []byte, b *Binding) string { return signed(slices.Clip(body), b) }
