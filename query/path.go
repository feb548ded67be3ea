package query

import "bytes"

// slot is the place of a field in an event, as far as queries tell places apart.
type slot byte

const (
	slotNone slot = iota // nothing that a query looks at
	slotAction
	slotVersion
	slotOutcome
	slotReason
	slotCorrelationID
	slotActorType
	slotActorID
	slotActorName
	slotActorEmail
	slotActorMeta
	slotViaType
	slotViaID
	slotViaName
	slotViaEmail
	slotTargetType
	slotTargetID
	slotTargetName
	slotTargetMeta
	slotIP
	slotUserAgent
	slotRequestID
	slotTraceID
	slotSessionID
	slotMethod
	slotRoute
	slotPath
	slotStatus
	slotErrorCode
	slotErrorMessage
	slotChangePath
	slotChangeValue
	slotMeta
	slotFlag
	slots
)

// locate returns the slot of a flattened path and where its rest begins: for metadata the "/" before the first member name, for
// members of targets and via the "/" after the element, so that path[:rest] names the element.
func locate(path []byte) (s slot, rest int) {
	if len(path) < 3 {
		return slotNone, 0
	}
	switch path[1] {
	case 'a':
		if string(path) == "/action" {
			return slotAction, 0
		}
		if bytes.HasPrefix(path, []byte("/actor/")) {
			return locateActor(path)
		}
	case 'c':
		return locateContext(path)
	case 'e':
		switch string(path) {
		case "/error/code":
			return slotErrorCode, 0
		case "/error/message":
			return slotErrorMessage, 0
		}
	case 'f':
		if bytes.HasPrefix(path, []byte("/flags/~#")) {
			return slotFlag, 0
		}
	case 'm':
		const prefix = len("/metadata")
		if len(path) > prefix && path[prefix] == '/' && string(path[:prefix]) == "/metadata" {
			return slotMeta, prefix
		}
	case 'o':
		if string(path) == "/outcome" {
			return slotOutcome, 0
		}
	case 'r':
		if string(path) == "/reason" {
			return slotReason, 0
		}
	case 't':
		return locateTarget(path)
	case 'v':
		if string(path) == "/version" {
			return slotVersion, 0
		}
	}
	return slotNone, 0
}

// locateActor locates a path that begins with /actor/.
func locateActor(path []byte) (s slot, rest int) {
	const prefix = len("/actor")
	switch string(path[prefix:]) {
	case "/id":
		return slotActorID, 0
	case "/type":
		return slotActorType, 0
	case "/name":
		return slotActorName, 0
	case "/email":
		return slotActorEmail, 0
	}
	const meta = prefix + len("/metadata")
	if len(path) > meta && path[meta] == '/' && string(path[prefix:meta]) == "/metadata" {
		return slotActorMeta, meta
	}
	if !bytes.HasPrefix(path, []byte("/actor/via/")) {
		return slotNone, 0
	}
	rest = endOfElement(path, len("/actor/via"))
	switch string(path[rest:]) {
	case "/id":
		return slotViaID, rest
	case "/type":
		return slotViaType, rest
	case "/name":
		return slotViaName, rest
	case "/email":
		return slotViaEmail, rest
	}
	return slotNone, 0
}

// locateTarget locates a path that begins with /t.
func locateTarget(path []byte) (s slot, rest int) {
	if !bytes.HasPrefix(path, []byte("/targets/")) {
		return slotNone, 0
	}
	rest = endOfElement(path, len("/targets"))
	switch string(path[rest:]) {
	case "/id":
		return slotTargetID, rest
	case "/type":
		return slotTargetType, rest
	case "/name":
		return slotTargetName, rest
	}
	meta := rest + len("/metadata")
	if len(path) > meta && path[meta] == '/' && string(path[rest:meta]) == "/metadata" {
		return slotTargetMeta, meta
	}
	return slotNone, 0
}

// locateContext locates a path that begins with /c.
func locateContext(path []byte) (s slot, rest int) {
	if bytes.HasPrefix(path, []byte("/changes/")) {
		rest = endOfElement(path, len("/changes"))
		switch member := path[rest:]; {
		case string(member) == "/path":
			return slotChangePath, rest
		case len(member) > 0:
			return slotChangeValue, rest
		}
		return slotNone, 0
	}
	switch string(path) {
	case "/correlation_id":
		return slotCorrelationID, 0
	case "/context/ip":
		return slotIP, 0
	case "/context/user_agent":
		return slotUserAgent, 0
	case "/context/request_id":
		return slotRequestID, 0
	case "/context/trace_id":
		return slotTraceID, 0
	case "/context/session_id":
		return slotSessionID, 0
	case "/context/http/method":
		return slotMethod, 0
	case "/context/http/route":
		return slotRoute, 0
	case "/context/http/path":
		return slotPath, 0
	case "/context/http/status_code":
		return slotStatus, 0
	}
	return slotNone, 0
}

// endOfElement returns where the component after path[:i] ends.
func endOfElement(path []byte, i int) int {
	for i++; i < len(path) && path[i] != '/'; { // components are too short for bytes.IndexByte to pay
		i++
	}
	return i
}

// component returns the path component that begins after the "/" at i, and where it ends. Elements of arrays begin with "~#".
func component(path []byte, i int) (name []byte, end int) {
	end = endOfElement(path, i)
	return path[i+1 : end], end
}

func isElement(name []byte) bool { return len(name) > 1 && name[0] == '~' && name[1] == '#' }

// firstComponent returns where the "/" before the first component of a pointer stands; -1 if the slash is missing.
func firstComponent(pointer []byte) int {
	if len(pointer) == 0 || pointer[0] == '/' {
		return 0
	}
	return -1
}

// isKey reports whether the member names of path from rest on, joined by ".", are key. With below, names that follow may come after.
func isKey(path []byte, rest int, key string, below bool) bool {
	k := 0
	first := true
	for i := rest; i < len(path); {
		if below && k == len(key) && !first {
			return true
		}
		name, end := component(path, i)
		i = end
		if isElement(name) {
			continue
		}
		if !first {
			if k == len(key) || key[k] != '.' {
				return false
			}
			k++
		}
		first = false
		for j := 0; j < len(name); j, k = j+1, k+1 {
			c := name[j]
			if c == '~' && j+1 < len(name) {
				j++
				c = unescaped(name[j])
			}
			if k == len(key) || key[k] != c {
				return false
			}
		}
	}
	return k == len(key) && !first
}

// unescaped is the character for which "~" and c stand.
func unescaped(c byte) byte {
	if c == '1' {
		return '/'
	}
	return '~'
}
