package export

import (
	"encoding/hex"
	"encoding/json"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Acts upon exports, as the log of the organization names them.
const (
	ActCreated    = "daybook.export.created"
	ActCancelled  = "daybook.export.cancelled"
	actDownloaded = "daybook.export.downloaded"
)

// Act describes an act upon x. Who did it, and from where, is the caller's to add.
func Act(action string, x *control.Export) daybook.Event {
	details := struct {
		Format  string   `json:"format"`
		Query   string   `json:"query"`
		Columns []string `json:"columns,omitempty"`
		LeftOut []string `json:"left_out,omitempty"`
		Size    int64    `json:"size"`
		Rows    int64    `json:"rows"`
		SHA256  string   `json:"sha256,omitempty"`
		Door    string   `json:"door,omitempty"`
	}{x.Format, x.Query, x.Columns, LeftOut(x), x.Size, x.Rows, hex.EncodeToString(x.SHA256), x.Door}
	text, err := json.Marshal(details)
	if err != nil {
		panic(err) // our own structs always encode
	}
	return daybook.Event{Action: action, Targets: []daybook.Target{{Type: "export", ID: x.ID}}, Metadata: text}
}

// Download describes that the file of x was fetched from where at says. Its address is all that was asked for, so who did it is not
// known: whoever had the address.
func Download(x *control.Export, at daybook.Context) selfaudit.Look {
	return selfaudit.Look{
		Org: x.Org, Action: actDownloaded, By: daybook.Actor{Type: "anonymous", ID: "link"}, Target: daybook.Target{Type: "export", ID: x.ID},
		Context: at, Outcome: daybook.Success, What: x.Format, Query: x.Query, From: bound(x.From), To: bound(x.To), Shown: selfaudit.Shown{Rows: x.Rows, Last: x.Size - 1},
	}
}

func bound(micros int64) *int64 {
	if micros == 0 {
		return nil
	}
	return &micros
}
