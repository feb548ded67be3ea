package load

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// Use is what processes have used so far; known on Linux only.
type Use struct {
	CPU     float64 // seconds
	RSS     int64   // bytes in memory now
	Written int64   // bytes handed to the disk
}

// UseOf reads /proc and adds up; a pid of 0, and systems without it, give zeros.
func UseOf(pids ...int) Use {
	var all Use
	for _, pid := range pids {
		u := oneProcess("/proc/" + strconv.Itoa(pid))
		all.CPU, all.RSS, all.Written = all.CPU+u.CPU, all.RSS+u.RSS, all.Written+u.Written
	}
	return all
}

func oneProcess(dir string) (u Use) {
	if text, err := os.ReadFile(dir + "/stat"); err == nil {
		rest := text[bytes.LastIndexByte(text, ')')+1:] // the name of the program, before it, may hold anything
		if f := strings.Fields(string(rest)); len(f) > 13 {
			user, _ := strconv.ParseInt(f[11], 10, 64)
			system, _ := strconv.ParseInt(f[12], 10, 64)
			u.CPU = float64(user+system) / 100 // USER_HZ is 100 on every Linux that Go runs on
		}
	}
	if text, err := os.ReadFile(dir + "/status"); err == nil {
		u.RSS = procNumber(string(text), "VmRSS:") << 10
	}
	if text, err := os.ReadFile(dir + "/io"); err == nil {
		u.Written = procNumber(string(text), "write_bytes:")
	}
	return u
}

func procNumber(text, name string) int64 {
	_, rest, ok := strings.Cut(text, name)
	if !ok {
		return 0
	}
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
