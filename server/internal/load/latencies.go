package load

import (
	"math/bits"
	"time"
)

// Latencies counts durations in buckets of less than 1 % width, so that any number of them fits into 32 KiB. The zero value is empty.
type Latencies struct {
	counts [64 << 6]int64
	n      int64
	max    int64 // ns
}

const subBuckets = 6 // 2⁶ a power of two, halved below: 1/64

func bucketOf(ns int64) int {
	if ns < 1<<subBuckets {
		return int(max(ns, 0))
	}
	shift := bits.Len64(uint64(ns)) - subBuckets - 1
	return (shift+1)<<subBuckets + int(ns>>shift)&(1<<subBuckets-1)
}

func valueOf(bucket int) float64 {
	if bucket < 1<<subBuckets {
		return float64(bucket)
	}
	shift := bucket>>subBuckets - 1
	low := float64(int64(bucket&(1<<subBuckets-1)|1<<subBuckets) << shift)
	return low + float64(int64(1)<<shift)/2
}

// Add counts d.
func (h *Latencies) Add(d time.Duration) {
	h.counts[bucketOf(int64(d))]++
	h.n++
	h.max = max(h.max, int64(d))
}

// Merge adds what o has counted.
func (h *Latencies) Merge(o *Latencies) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// N is how many durations were counted.
func (h *Latencies) N() int64 { return h.n }

// Max is the longest one in milliseconds.
func (h *Latencies) Max() float64 { return float64(h.max) / 1e6 }

// At returns a quantile of 0 to 1 in milliseconds.
func (h *Latencies) At(q float64) float64 {
	rank := int64(q * float64(h.n))
	for i, n := range h.counts {
		if rank -= n; rank < 0 {
			return min(valueOf(i), float64(h.max)) / 1e6
		}
	}
	return float64(h.max) / 1e6
}
