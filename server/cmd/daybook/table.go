package main

import (
	"context"

	"github.com/daybook-audit/daybook/client"
)

// table is how things of one kind are printed.
type table[T any] struct {
	fields    string // the JSON fields that --json may name, separated by commas
	heads     []heading
	row       func(*T) []cell
	one, many string // what they are called
}

// list prints what get returns, and says how many there are.
func (t *table[T]) list(ctx context.Context, e *env, get func(*client.Client, context.Context) ([]T, error)) error {
	p, c, err := t.open(e)
	if err != nil {
		return err
	}
	all, err := get(c, ctx)
	if err != nil {
		return cannot("list "+t.many, err)
	}
	for i := range all {
		if err := p.addValue(all[i], t.row(&all[i])...); err != nil {
			return err
		}
	}
	e.note("%s", count(len(all), t.one, t.many))
	return p.end()
}

// show prints the one that get returns. The error of get says itself what could not be done.
func (t *table[T]) show(e *env, get func(*client.Client) (T, error)) error {
	p, c, err := t.open(e)
	if err != nil {
		return err
	}
	v, err := get(c)
	if err != nil {
		return err
	}
	return p.one(v, t.row(&v)...)
}

// open checks how to print before anything is asked of the server.
func (t *table[T]) open(e *env) (*printer, *client.Client, error) {
	p, err := e.printer(splitFields(t.fields), t.heads...)
	if err != nil {
		return nil, nil, err
	}
	c, err := e.connect()
	return p, c, err
}
