// Package crm is the audit log of a CRM on Daybook: numbered actions and entity types, the record before and after, what differs, who did
// it and who did it in somebody's name, in one log for all entities that nobody can rewrite.
//
// An application keeps its enums as Go constants. [Open] holds them against the numbering of the org, which is itself in the log: a
// constant that was renumbered, renamed, reused or that skips a number stops the start. [Check] says the same in a test.
//
//	const (
//		LeadCreate = 1
//		LeadUpdate = 2
//	)
//	table, err := crm.Open(ctx, clerk, book, "org_acme", crm.Enum{LeadCreate: "lead.create", LeadUpdate: "lead.update"}, entities)
//	receipt, err := table.Record(ctx, crm.Event{Action: LeadUpdate, EntityType: Lead, NumberIdentifier: "1201", Previous: before, Current: after})
//
// A Table has no way to change or delete an entry. What the law demands is removed by retention or erasure, which leave the hash of the
// entry and say so in the log.
package crm
