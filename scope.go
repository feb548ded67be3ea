package daybook

import (
	"context"
	"slices"
)

// Scope is what a context carries for the events recorded under it.
type Scope struct {
	Org                   OrgID
	Actor                 Actor
	ActorFunc             func(ctx context.Context) (Actor, error) // asked at record time: works when authentication runs later
	Context               Context
	Reason, CorrelationID string
}

// scopeKey is the key of a Scope in a context.
type scopeKey struct{}

// WithScope returns a context whose scope is s over that of ctx: zero fields keep what was there, those of s.Context one by one.
// Of Actor and ActorFunc the one set last holds. What s points to is copied, so that it may change afterwards.
func WithScope(ctx context.Context, s Scope) context.Context {
	was := scopeOf(ctx)
	if s.Org == "" {
		s.Org = was.Org
	}
	switch {
	case !s.Actor.IsZero():
		s.Actor = copied(s.Actor)
	case s.ActorFunc == nil:
		s.Actor, s.ActorFunc = was.Actor, was.ActorFunc
	}
	if h := s.Context.HTTP; h != nil {
		c := *h
		c.Params, c.Request, c.Response = slices.Clone(h.Params), slices.Clone(h.Request), slices.Clone(h.Response)
		s.Context.HTTP = &c
	}
	s.Context = s.Context.over(was.Context)
	if s.Reason == "" {
		s.Reason = was.Reason
	}
	if s.CorrelationID == "" {
		s.CorrelationID = was.CorrelationID
	}
	return context.WithValue(ctx, scopeKey{}, &s)
}

// WithActor returns a context whose events are a's deeds.
func WithActor(ctx context.Context, a Actor) context.Context { return WithScope(ctx, Scope{Actor: a}) }

// WithReason returns a context whose events say why.
func WithReason(ctx context.Context, why string) context.Context {
	return WithScope(ctx, Scope{Reason: why})
}

// Detach keeps the scope of ctx and drops its cancellation and deadline: for goroutines that outlive the request.
func Detach(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// scopeOf returns the scope of ctx, the zero Scope without one.
func scopeOf(ctx context.Context) Scope {
	if s, ok := ctx.Value(scopeKey{}).(*Scope); ok {
		return *s
	}
	return Scope{}
}

// actor returns the actor of s, a zero one when it has none.
func (s *Scope) actor(ctx context.Context) (Actor, error) {
	if s.ActorFunc != nil && s.Actor.IsZero() {
		return s.ActorFunc(ctx)
	}
	return s.Actor, nil
}

// over returns x with what it leaves open taken from below.
func (x Context) over(below Context) Context {
	for _, f := range [...]struct{ have, was *string }{
		{&x.IP, &below.IP},
		{&x.UserAgent, &below.UserAgent},
		{&x.RequestID, &below.RequestID},
		{&x.TraceID, &below.TraceID},
		{&x.SessionID, &below.SessionID},
	} {
		if *f.have == "" {
			*f.have = *f.was
		}
	}
	if x.HTTP == nil {
		x.HTTP = below.HTTP
	}
	return x
}

// copied returns a without memory in common with it.
func copied(a Actor) Actor {
	a.Metadata = slices.Clone(a.Metadata)
	a.Via = slices.Clone(a.Via)
	for i := range a.Via {
		a.Via[i] = copied(a.Via[i])
	}
	return a
}
