package verify

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Policy says which witnesses must have signed, as a C2SP tlog-policy file does.
type Policy struct {
	Logs      []Key // pinned by it
	Witnesses []Key
	quorum    *group // nil: no witness is needed
}

// group is satisfied if enough of its members are; a group of one key is a witness.
type group struct {
	witness *Key
	needs   int
	members []*group
}

// ParsePolicy reads a policy: lines "log VKEY [URL]", "witness NAME VKEY [URL]", "group NAME any|all|N MEMBER…" and exactly one
// "quorum NAME|none". A name is used only after its line. Empty lines and lines that begin with # are ignored.
func ParsePolicy(text string) (*Policy, error) {
	p := &Policy{}
	names := map[string]*group{}
	quorum := false
	number := 0
	for line := range strings.Lines(text) {
		number++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		var err error
		switch words[0] {
		case "log":
			err = p.addLog(words[1:])
		case "witness":
			err = p.addWitness(names, words[1:])
		case "group":
			err = addGroup(names, words[1:])
		case "quorum":
			if quorum {
				err = errors.New("a second quorum")
			}
			quorum = true
			err = errors.Join(err, p.setQuorum(names, words[1:]))
		default:
			err = fmt.Errorf("%q begins no line of a policy", words[0])
		}
		if err != nil {
			return nil, fmt.Errorf("policy line %d: %w", number, err)
		}
	}
	if !quorum {
		return nil, errors.New("the policy has no quorum line")
	}
	return p, nil
}

func (p *Policy) addLog(words []string) error {
	if len(words) < 1 || len(words) > 2 {
		return errors.New("write: log VKEY [URL]")
	}
	k, err := ParseKey(words[0])
	if err != nil {
		return err
	}
	if k.Cosigner() {
		return errors.New("the key of a log is not one of a witness")
	}
	p.Logs = append(p.Logs, k)
	return nil
}

func (p *Policy) addWitness(names map[string]*group, words []string) error {
	if len(words) < 2 || len(words) > 3 {
		return errors.New("write: witness NAME VKEY [URL]")
	}
	k, err := ParseKey(words[1])
	if err != nil {
		return err
	}
	if !k.Cosigner() {
		return errors.New("the key of a witness is of the type cosignature/v1")
	}
	if slices.ContainsFunc(p.Witnesses, k.Equal) {
		return errors.New("the same witness twice")
	}
	p.Witnesses = append(p.Witnesses, k)
	return define(names, words[0], &group{witness: &k})
}

func define(names map[string]*group, name string, g *group) error {
	if names[name] != nil || name == "none" {
		return fmt.Errorf("the name %q is taken", name)
	}
	names[name] = g
	return nil
}

func addGroup(names map[string]*group, words []string) error {
	if len(words) < 3 {
		return errors.New("write: group NAME any|all|N MEMBER…")
	}
	g := &group{}
	for _, name := range words[2:] {
		member := names[name]
		if member == nil || slices.Contains(g.members, member) {
			return fmt.Errorf("the member %q is not defined before, or stands twice", name)
		}
		g.members = append(g.members, member)
	}
	switch words[1] {
	case "any":
		g.needs = 1
	case "all":
		g.needs = len(g.members)
	default:
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 || n > len(g.members) {
			return errors.New("a group needs any, all, or a number of its members")
		}
		g.needs = n
	}
	return define(names, words[0], g)
}

func (p *Policy) setQuorum(names map[string]*group, words []string) error {
	if len(words) != 1 {
		return errors.New("write: quorum NAME|none")
	}
	if words[0] == "none" {
		return nil
	}
	if p.quorum = names[words[0]]; p.quorum == nil {
		return fmt.Errorf("the group %q is not defined before", words[0])
	}
	return nil
}

// Satisfied reports whether enough witnesses have signed the note.
func (p *Policy) Satisfied(n *Note) bool { return p.quorum == nil || p.quorum.satisfied(n) }

// satisfied ends: the members of a group are defined before it.
func (g *group) satisfied(n *Note) bool {
	if g.witness != nil {
		_, err := n.Signed(*g.witness)
		return err == nil
	}
	count := 0
	for _, m := range g.members {
		if m.satisfied(n) {
			count++
		}
	}
	return count >= g.needs
}
