// node client.cjs FOLDER NAME PORT KEY READER: what an application does with the official WorkOS client that FOLDER has as NAME; one line a step.
const { createRequire } = require('node:module')
const [, , folder, name, port, key, reader] = process.argv
const load = createRequire(folder + '/')
const { WorkOS } = load(name)
const client = (key) => new WorkOS(key, { apiHostname: '127.0.0.1', port: Number(port), https: false })
const workos = client(key)
const when = new Date('2026-01-02T03:04:05.678Z')
const both = {
  version: 1,
  actor: { id: 'user_1', type: 'user', name: 'Jon Smith', metadata: { role: 'admin' } },
  targets: [{ id: 'document_39127', type: 'document', name: 'Plan' }],
  metadata: { successful: true, count: 3 },
}
const old = name === 'workos-2' // it passes the caller's object through
const knowsRequest = ['workos-6', 'workos-10', 'workos-11'].includes(name) // the others miss the header, whoever sends it: they look for its name in capitals
const event = (action, more) => ({
  action,
  ...both,
  ...(old ? { occurred_at: when.toISOString(), context: { location: '192.0.0.8', user_agent: 'Firefox' } }
    : { occurredAt: when, context: { location: '192.0.0.8', userAgent: 'Firefox' } }),
  ...more,
})
const step = async (name, run) => {
  try {
    console.log(`${name}: ${(await run()) ?? 'ok'}`)
  } catch (e) {
    const lost = knowsRequest && !/^req_[0-9a-z]{10}$/.test(e.requestID) ? ' without its request id' : ''
    console.log(`${name}: ${e.name} ${e.status} ${e.code ?? ''} ${e.message.trim().replace(/\s+/g, ' ')}${lost}`)
  }
}
// rows reads CSV (RFC 4180).
const rows = (text) => {
  const list = [[]]
  for (const m of text.matchAll(/("(?:[^"]|"")*"|[^,\r\n]*)(,|\r\n|$)/g)) {
    if (m.index === text.length && list.at(-1).length === 0) break
    list.at(-1).push(m[1].startsWith('"') ? m[1].slice(1, -1).replaceAll('""', '"') : m[1])
    if (m[2] === '\r\n') list.push([])
  }
  return list.filter((row) => row.length > 0)
}
const exported = async (filter) => {
  const range = { rangeStart: new Date('2026-01-01T00:00:00Z'), rangeEnd: new Date('2027-01-01T00:00:00Z') }
  const made = await workos.auditLogs.createExport(
    old ? { organization_id: 'org_1', range_start: range.rangeStart, range_end: range.rangeEnd, ...filter } : { organizationId: 'org_1', ...range, ...filter })
  let x = made
  while (x.state === 'pending') {
    await new Promise((done) => setTimeout(done, 20))
    x = await workos.auditLogs.getExport(made.id)
  }
  const answer = await fetch(x.url) // without a key
  const [head, ...lines] = rows(await answer.text())
  return `${x.object} ${made.state} ${x.state} ${answer.status} ${answer.headers.get('content-type')} ${head[0]} ${head.at(-1)} ${JSON.stringify(lines.map((l) => [l[1], l[2], l[5], l[9], l[12]]))}`
}
const shape = (s) => `${s.object} ${s.version} ${JSON.stringify(s.actor)} ${JSON.stringify(s.targets)} ${JSON.stringify(s.metadata)}`
const main = async () => {
  const logs = workos.auditLogs
  const keyed = { idempotencyKey: 'key-1' }
  await step('create', () => logs.createEvent('org_1', event('document.updated'), keyed))
  await step('repeat', () => logs.createEvent('org_1', event('document.updated'), keyed))
  await step('key of another event', () => logs.createEvent('org_1', event('document.deleted'), keyed))
  await step('without an action', () => logs.createEvent('org_1', event('')))
  await step('nested metadata', () => logs.createEvent('org_1', event('document.updated', { metadata: { nested: { a: 1 } } })))
  await step('wrong key', () => client('sk_wrong').auditLogs.createEvent('org_1', event('document.updated')))
  await step('without the scope', () => client(reader).auditLogs.createEvent('org_1', event('document.updated')))
  await step('export', () => exported({ actions: ['document.updated'] }))
  await step('export of nothing', () => exported({ actors: ['Nobody'], actorNames: ['Nobody'] }))
  await step('export without a range', () => logs.createExport(old ? { organization_id: 'org_1', range_start: when, range_end: when } : { organizationId: 'org_1', rangeStart: when, rangeEnd: when }))
  await step('export of nobody', () => logs.createExport(old ? { organization_id: 'org_0', range_start: when, range_end: new Date() } : { organizationId: 'org_0', rangeStart: when, rangeEnd: new Date() }))
  await step('unknown export', () => logs.getExport('exp_0'))
  if (logs.createSchema) {
    const schema = { action: 'team/invoice.paid', targets: [{ type: 'team', metadata: { size: 'number' } }], actor: { metadata: { role: 'string' } }, metadata: { id: 'string' } }
    await step('schema', async () => shape(await logs.createSchema(schema)))
    await step('schema again', async () => shape(await logs.createSchema(schema)))
    await step('second schema', async () => shape(await logs.createSchema({ action: schema.action, targets: [{ type: 'team' }] })))
    await step('schema without targets', () => logs.createSchema({ action: 'a.b', targets: [] }))
    await step('schema without the scope', () => client(reader).auditLogs.createSchema(schema))
    const paid = (targets, more) => logs.createEvent('org_1', event(schema.action, { targets, ...more }))
    await step('event of the first', () => paid([{ id: '1', type: 'team', metadata: { size: 3 } }], { version: 1, metadata: { id: 'x' } }))
    await step('wrong target', () => paid([{ id: '1', type: 'document' }]))
    await step('wrong metadata', () => paid([{ id: '1', type: 'team', metadata: { size: 'large' } }]))
    await step('unknown version', () => paid([{ id: '1', type: 'team' }], { version: 7 }))
  }
  if (logs.listSchemas) {
    await step('schemas', async () => {
      const list = await logs.listSchemas('team/invoice.paid')
      const all = list.autoPagination ? await list.autoPagination() : list.data
      return `${list.data.length} of ${all.map((s) => s.version)}`
    })
    await step('schemas of nothing', () => logs.listSchemas('none'))
  }
  if (logs.getOrganizationAuditLogsRetention) {
    const get = async (x) => `${JSON.stringify(await x)}`
    await step('retention', () => get(logs.getOrganizationAuditLogsRetention({ id: 'org_1' })))
    await step('set retention', () => get(logs.updateOrganizationAuditLogsRetention({ id: 'org_1', retentionPeriod: '11_MONTHS' })))
    await step('wrong retention', () => logs.updateOrganizationAuditLogsRetention({ id: 'org_1', retentionPeriod: '12_MONTHS' }))
  }
  await step('portal', async () => {
    const { link } = await (workos.portal ?? workos.adminPortal).generateLink({ organization: 'org_1', intent: 'audit_logs', returnUrl: 'https://app.example.com/' })
    const answer = await fetch(link)
    return `${new URL(link).pathname} ${answer.status} ${(await answer.text()).includes('audit log of <strong>org_1')}`
  })
  await step('portal for something else', () => (workos.portal ?? workos.adminPortal).generateLink({ organization: 'org_1', intent: 'sso' }))
}
main()
