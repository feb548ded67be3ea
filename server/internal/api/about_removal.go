package api

import "net/http"

func accepted(shape any, text string) []answer {
	return []answer{{http.StatusAccepted, text, content{mediaJSON, shape}}}
}

const tagRemoval = "Keeping and removing"

var (
	pathErasure = []param{{"id", "Its id, `ers_…`.", text}}
	pathHold    = []param{{"id", "Its id, `hold_…`.", text}}

	aboutGetRetention = operation{
		id: "getRetention", tag: tagRemoval, summary: "Get the retention rules", answers: ok(retention{}, "The rules in force; none: everything is kept for ever."),
	}
	aboutPutRetention = operation{
		id: "putRetention", tag: tagRemoval, summary: "Set the retention rules",
		text: "It stands in the log as `daybook.retention.changed` before it counts. What is due goes with the next round, within a minute or two: see plan. A period of days removes " +
			"whole days, one of hours whole hours.",
		request: []content{{mediaJSON, newRetention{}}}, answers: ok(retention{}, "The rules in force."), faults: []int{413, 415, 503, 507},
	}
	aboutPlanRetention = operation{
		id: "planRetention", tag: tagRemoval, summary: "Plan retention", text: "What the rules would remove now. Nothing is removed.",
		request: []content{{mediaJSON, planRequest{}}}, answers: ok(retentionPlan{}, "The plan."), faults: []int{413, 415, 503},
	}
	aboutRunRetention = operation{
		id: "runRetention", tag: tagRemoval, summary: "Remove what is due",
		text:    "At once, instead of with the next round. The body is `{}`. The entries are named in the log when it answers, and removed in the background.",
		request: []content{{mediaJSON, nothing{}}}, answers: ok(pruned{}, "What was named."), faults: []int{413, 415, 503, 507},
	}
	aboutPlaceHold = operation{
		id: "placeHold", tag: tagRemoval, summary: "Place a legal hold",
		text:    "What it covers is neither erased nor removed by retention until it is released, and what was asked for before and is not carried out yet waits.",
		request: []content{{mediaJSON, newHold{}}},
		answers: []answer{
			{http.StatusCreated, "Placed, and durable.", content{mediaJSON, hold{}}}, {http.StatusOK, "It was there before.", content{mediaJSON, hold{}}},
		},
		faults: []int{413, 415, 503, 507},
	}
	aboutListHolds   = operation{id: "listHolds", tag: tagRemoval, summary: "List holds", text: "Released ones are among them.", answers: ok(holdList{}, "All holds.")}
	aboutGetHold     = operation{id: "getHold", tag: tagRemoval, summary: "Get a hold", path: pathHold, answers: ok(hold{}, "The hold.")}
	aboutReleaseHold = operation{
		id: "releaseHold", tag: tagRemoval, summary: "Release a hold", text: "What had to wait for its sake goes on. A second time changes nothing.",
		path: pathHold, request: []content{{mediaJSON, release{}}}, answers: ok(hold{}, "The hold."), faults: []int{413, 415, 503, 507},
	}
	aboutPreviewErasure = operation{
		id: "previewErasure", tag: tagRemoval, summary: "Preview an erasure", text: "Nothing is removed.",
		request: []content{{mediaJSON, erasing{}}}, answers: ok(erasurePreview{}, "What would go."), faults: []int{413, 415, 503},
	}
	aboutCreateErasure = operation{
		id: "createErasure", tag: tagRemoval, summary: "Erase",
		text: "Which entries: those that actor, target, event and query, as far as they are given, select together; or `all`. What of them: see preview, which takes the same.\n\n" +
			"When it answers, control entries that name what goes are durable, and the values are removed in the background: ask for the erasure until it is `done`. Where two people are " +
			"needed (retention, `erasure_approvers`), nothing is removed until a second key approves.",
		request: []content{{mediaJSON, newErasure{}}}, answers: accepted(erasure{}, "It is in the log, or awaits approval."), faults: []int{409, 413, 415, 503, 507},
	}
	aboutListErasures   = operation{id: "listErasures", tag: tagRemoval, summary: "List erasures", answers: ok(erasureList{}, "All erasures.")}
	aboutGetErasure     = operation{id: "getErasure", tag: tagRemoval, summary: "Get an erasure", path: pathErasure, answers: ok(erasure{}, "The erasure.")}
	aboutApproveErasure = operation{
		id: "approveErasure", tag: tagRemoval, summary: "Approve an erasure", text: "With another key than the one that asked. The body is `{}`.",
		path: pathErasure, request: []content{{mediaJSON, nothing{}}}, answers: accepted(erasure{}, "It is in the log."), faults: []int{409, 413, 415, 503, 507},
	}
	aboutWithdrawErasure = operation{
		id: "withdrawErasure", tag: tagRemoval, summary: "Withdraw an erasure", text: "One that awaits approval. What is in the log cannot be taken back.",
		path: pathErasure, answers: []answer{{http.StatusNoContent, "Withdrawn.", content{}}},
	}
	aboutPreviewOrgErasure = operation{
		id: "previewOrgErasure", tag: tagRemoval, summary: "Preview the erasure of an organization", text: "Nothing is removed. The body is `{}`.",
		path: []param{pathOrg}, request: []content{{mediaJSON, nothing{}}}, answers: ok(orgErasurePreview{}, "What would go."), faults: []int{404, 413, 415, 503},
	}
	aboutCreateOrgErasure = operation{
		id: "createOrgErasure", tag: tagRemoval, summary: "Erase an organization",
		text: "With its log, its keys, settings, exports, and the organization itself. When it answers, the log is signed a last time and closed for good, and its bytes are removed in the " +
			"background: ask until it is `done`, then fetch the certificate, which holds the last checkpoint. A legal hold in force forbids it: 409 `on_hold`. Where two people are needed " +
			"(retention, `erasure_approvers`), nothing happens until a second key approves. Who uses the id afterwards makes another organization, with another log.",
		path: []param{pathOrg}, request: []content{{mediaJSON, newOrgErasure{}}}, answers: accepted(orgErasure{}, "It has begun, or awaits approval."), faults: []int{404, 409, 413, 415, 503, 507},
	}
	aboutListOrgErasures   = operation{id: "listOrgErasures", tag: tagRemoval, summary: "List erasures of organizations", answers: ok(orgErasureList{}, "All erasures of the last 30 days.")}
	aboutGetOrgErasure     = operation{id: "getOrgErasure", tag: tagRemoval, summary: "Get the erasure of an organization", path: pathErasure, answers: ok(orgErasure{}, "The erasure."), faults: []int{404}}
	aboutApproveOrgErasure = operation{
		id: "approveOrgErasure", tag: tagRemoval, summary: "Approve the erasure of an organization", text: "With another key than the one that asked. The body is `{}`.",
		path: pathErasure, request: []content{{mediaJSON, nothing{}}}, answers: accepted(orgErasure{}, "It has begun."), faults: []int{404, 409, 413, 415, 503, 507},
	}
	aboutWithdrawOrgErasure = operation{
		id: "withdrawOrgErasure", tag: tagRemoval, summary: "Withdraw the erasure of an organization", text: "One that awaits approval.",
		path: pathErasure, answers: []answer{{http.StatusNoContent, "Withdrawn.", content{}}}, faults: []int{404, 409},
	}
	aboutGetOrgCertificate = operation{
		id: "getOrgCertificate", tag: tagRemoval, summary: "Get the certificate of the erasure of an organization",
		text: "With the last checkpoint of each log. 409 `not_complete` until the last byte is gone; kept for 30 days.",
		path: pathErasure, answers: ok(orgCertificate{}, "The certificate."), faults: []int{404, 409},
	}
	aboutGetCertificate = operation{
		id: "getCertificate", tag: tagRemoval, summary: "Get the certificate of an erasure", text: "409 `not_complete` until the last value is gone.",
		path: pathErasure, answers: ok(certificate{}, "The certificate."), faults: []int{409},
	}
)
