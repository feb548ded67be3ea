// node client.cjs FOLDER NAME PORT KEY: what an application does with the official WorkOS client that FOLDER has as NAME; one line a step.
const { createRequire } = require('node:module')
const [, , folder, name, port, key] = process.argv
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
    await run()
    console.log(`${name}: ok`)
  } catch (e) {
    const lost = knowsRequest && !/^req_[0-9a-z]{10}$/.test(e.requestID) ? ' without its request id' : ''
    console.log(`${name}: ${e.name} ${e.status} ${e.code ?? ''} ${e.message.trim().replace(/\s+/g, ' ')}${lost}`)
  }
}
const main = async () => {
  const keyed = { idempotencyKey: 'key-1' }
  await step('create', () => workos.auditLogs.createEvent('org_1', event('document.updated'), keyed))
  await step('repeat', () => workos.auditLogs.createEvent('org_1', event('document.updated'), keyed))
  await step('key of another event', () => workos.auditLogs.createEvent('org_1', event('document.deleted'), keyed))
  await step('without an action', () => workos.auditLogs.createEvent('org_1', event('')))
  await step('nested metadata', () => workos.auditLogs.createEvent('org_1', event('document.updated', { metadata: { nested: { a: 1 } } })))
  await step('wrong key', () => client('sk_wrong').auditLogs.createEvent('org_1', event('document.updated')))
}
main()
