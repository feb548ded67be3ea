package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/sqlite"
)

// serve runs the baseline behind Daybook's own HTTP layer and prints its address. It ends with SIGTERM or SIGINT.
func serve(args []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("rows", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address")
	dir := flags.String("dir", "", "folder for the databases")
	url := flags.String("postgres", "", "keep the rows in this PostgreSQL database instead of SQLite")
	plain := flags.Bool("plain", false, "there, without group commit: a transaction a request")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	docs, err := sqlite.Open(filepath.Join(*dir, "daybook.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, docs.Close()) }()
	var book *rows
	if *url == "" {
		book, err = openRows(filepath.Join(*dir, "rows.db"))
	} else {
		book, err = openRowsPostgres(ctx, *url, *plain)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	keys := control.NewKeys(docs, time.Now)
	handler, err := api.New(api.Deps{
		Book: book, Docs: docs, Orgs: control.NewOrgs(docs, time.Now), Keys: keys, Auth: auth.New(keys, auth.Options{}),
	})
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "http://%s\n", l.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close() // a benchmark has nothing to drain
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// unused is what the HTTP layer may ask of a Book and a baseline is never asked.
type unused struct{ api.Book }

// CreateLog is asked when an organization is new.
func (unused) CreateLog(context.Context, daybook.OrgID) error { return nil }

// Broken never is.
func (unused) Broken() <-chan struct{} { return nil }
