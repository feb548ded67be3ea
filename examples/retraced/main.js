// An application that records with the official Retraced client, searches, and shows one customer its own log.
import { Client } from '@retracedhq/retraced'

const endpoint = `${process.env.DAYBOOK_URL ?? 'http://127.0.0.1:8080'}/auditlog`
const client = new Client({ endpoint, projectId: 'dev', apiKey: process.env.DAYBOOK_KEY, component: 'billing' })
const group = { id: 'retraced-example', name: 'Acme' }

// The client computes the hash of every answer again, and throws when it differs.
await client.reportEvent({
  action: 'invoice.update', crud: 'u', group, actor: { id: 'user-1', name: 'Ada' },
  target: { id: 'inv-42', name: 'Invoice 42', type: 'invoice' }, description: 'Ada raised the amount', fields: { amount: '12.00' },
})
await client.reportEvents([
  { action: 'user.login', crud: 'r', group, actor: { id: 'user-2', name: 'Eve' }, is_failure: true, source_ip: '192.0.2.7' },
  { action: 'user.login', crud: 'r', group, actor: { id: 'user-2', name: 'Eve' }, source_ip: '192.0.2.7' },
])

const found = await client.query({ action: 'user.*', actor_id: 'user-2' }, { action: true, is_failure: true, actor: { name: true } }, 10)
for (const event of found.currentResults) console.log(`${event.actor.name} ${event.action} ${event.is_failure ? 'failed' : 'succeeded'}`)

// On the server: a token for one customer. In the browser: a session for it, which sees that customer's log and nothing else.
const token = await client.getViewerToken(group.id, 'ada@acme.example', false)
const post = (path, headers, body) => fetch(endpoint + path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) })
const session = await (await post('/viewer/v1/viewersession', {}, { token })).json()
const seen = await (await post('/viewer/v1/graphql', { Authorization: session.token }, {
  query: '{ search(query: "crud:u", last: 5) { totalCount edges { node { display { markdown } } } } }',
})).json()
console.log(`viewer: ${seen.data.search.totalCount} update`)
console.log(seen.data.search.edges[0].node.display.markdown)
