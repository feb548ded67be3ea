// node client.cjs FOLDER NAME URL KEY: what an application does with the official Retraced client that FOLDER has as NAME; one line a step.
const { createRequire } = require('node:module')
const [, , folder, name, url, key] = process.argv
const { Client } = createRequire(folder + '/')(name)
const options = { endpoint: url, projectId: 'dev', apiKey: key, component: 'billing', version: 'git-abc123', viewLogAction: 'log.seen' }
const client = new Client(options)
// Version 0.5 wants these in its own spelling.
const old = name === 'retraced-0.5'
const spelled = ({ source_ip, is_failure, is_anonymous, ...rest }) =>
  old ? { ...rest, sourceIp: source_ip, isFailure: is_failure, isAnonymous: is_anonymous } : { ...rest, source_ip, is_failure, is_anonymous }
const event = (more) => spelled({
  action: 'invoice.update',
  crud: 'u',
  group: { id: 'org-1', name: 'Acme: 100% & co' },
  created: new Date('2026-01-02T03:04:05.678Z'),
  actor: { id: 'user:1', name: 'Ada Lovelace', href: 'https://app.example/u/1' },
  target: { id: 'inv:42%', name: 'Invoice 42', href: 'https://app.example/i/42', type: 'invoice' },
  source_ip: '2001:db8::1',
  description: 'Ada updated invoice 42',
  is_failure: true,
  fields: { 'k:1': 'v=1;%', a: 'z', B: 'upper', '～': '1', '😀': '2' },
  ...more,
})
const step = async (what, run) => {
  try {
    console.log(`${what}: ${await run()}`)
  } catch (e) {
    console.log(`${what}: ${e.name} ${e.message.trim().replace(/[0-9a-f]{32}/g, 'ID')}`)
  }
}
const mask = {
  id: true, action: true, description: true, crud: true, received: true, created: true, canonical_time: true, is_failure: true, is_anonymous: true,
  source_ip: true, component: true, version: true, fields: true, group: { id: true, name: true }, actor: { id: true, name: true, href: true },
  target: { id: true, name: true, href: true, type: true }, display: { markdown: true },
}
const main = async () => {
  await step('event', async () => /^[0-9a-f]{32}$/.test(await client.reportEvent(event())))
  await step('anonymous', async () => /^[0-9a-f]{32}$/.test(await client.reportEvent(spelled({ action: 'ping', crud: 'r', is_anonymous: true, group: { id: 'org-1' } }))))
  if (client.reportEvents) {
    await step('bulk', async () => (await client.reportEvents([event({ action: 'invoice.create', crud: 'c' }), event({ fields: {} })])).length)
    await step('bulk, one wrong', () => client.reportEvents([event(), event({ crud: 'z' })]))
    await step('bulk of 51', () => client.reportEvents(Array.from({ length: 51 }, () => event())))
  }
  await step('without an action', () => client.reportEvent(event({ action: '' })))
  await step('unknown member', () => client.reportEvent(event({ actor: { id: 'u', mail: 'a@b' } })))
  await step('wrong key', () => new Client({ ...options, apiKey: 'nobody' }).reportEvent(event()))
  await step('viewer token', async () => /^[0-9a-f]{32}$/.test(await client.getViewerToken('org-1', 'ada', true)))
  if (!client.query) return
  await step('query', async () => {
    const found = await client.query({ action: 'invoice.*', crud: 'u', actor_name: 'ada', received_start: new Date('2026-01-01T00:00:00Z') }, mask, 1)
    const first = found.currentResults[0]
    const pages = []
    for (; ;) {
      pages.push(found.currentResults.map((n) => n.action).join())
      if (!found.hasNextPage()) break
      await found.nextPage()
    }
    return JSON.stringify({
      total: found.totalCount, pages, at: first.created.toISOString(), fields: first.fields, ip: first.source_ip, by: first.actor.name, on: first.target,
      of: first.group, failed: first.is_failure, says: first.display.markdown, what: first.description, from: [first.component, first.version],
    })
  })
  await step('query that is wrong', () => client.query({ action: 'a'.repeat(600) }, mask, 1))
}
main()
