// An application that records with the official WorkOS client. Nothing but the address and the key says that this is Daybook.
import { WorkOS } from '@workos-inc/node'

const url = new URL(process.env.DAYBOOK_URL ?? 'http://127.0.0.1:8080')
const workos = new WorkOS(process.env.DAYBOOK_KEY, { apiHostname: url.hostname, port: Number(url.port), https: url.protocol === 'https:' })
const organization = 'org_workos_example'

const renamed = {
  action: 'document.renamed',
  occurredAt: new Date('2026-02-02T16:35:39Z'),
  actor: { type: 'user', id: 'user_1', name: 'Ada' },
  targets: [{ type: 'document', id: 'doc_7', name: 'Plan' }],
  context: { location: '192.0.2.1', userAgent: 'example' },
  metadata: { from: 'Draft' },
}

// What an action has to look like: later events are held against it.
await workos.auditLogs.createSchema({
  action: 'document.renamed',
  targets: [{ type: 'document' }],
  metadata: { from: 'string' },
})

await workos.auditLogs.createEvent(organization, renamed, { idempotencyKey: 'rename-1' })
console.log('recorded')
await workos.auditLogs.createEvent(organization, renamed, { idempotencyKey: 'rename-1' })
console.log('sent again: the same event')

try {
  await workos.auditLogs.createEvent(organization, { ...renamed, targets: [{ type: 'invoice', id: 'inv_1' }] })
} catch (error) {
  console.log(`another target: ${error.status}`)
}

let made = await workos.auditLogs.createExport({
  organizationId: organization, rangeStart: new Date('2026-01-01'), rangeEnd: new Date('2027-01-01'), actions: [renamed.action],
})
while (made.state === 'pending') {
  await new Promise((resolve) => setTimeout(resolve, 50))
  made = await workos.auditLogs.getExport(made.id)
}
const csv = await (await fetch(made.url)).text()
const [head, ...rows] = csv.trim().split(/\r?\n/)
console.log(`export: ${rows.length} row, columns ${head.split(',').slice(0, 4).join(' ')} …`)
