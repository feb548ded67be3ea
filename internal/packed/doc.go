// Package packed packs entries into bytes and reads them again: entries in, bytes out; bytes in, the same entries out. There are two kinds of
// bytes (docs/reference/formats.md has them to the byte):
//
//   - A commit row is what one transaction makes durable: the new entries of many logs, run by run, each with its leaf hash. It is written
//     while callers wait and is soon merged away.
//   - A block is neighbouring entries of one log, and stays. It holds no leaf hash that can be made again from the entry.
//
// Both hold a frame: columns of small numbers, then the bodies, compressed.
//
// What a reader returns can be relied on: every length in it was checked before it was used, no row makes it take more memory than the row's
// own bounds allow, and any byte that was changed since is found by a checksum. Bytes that contradict themselves, whatever their checksum
// says, are a [stored.DamageError]; what a later version of Daybook wrote is [stored.ErrNewer]. Nothing here compares an entry with the
// hash that was signed for it: that takes the log.
//
// What a writer is given must hold by itself: seqs and times that ascend, and the bounds of a block.
package packed
