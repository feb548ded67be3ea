// What ta-vivo-api does after a change: it signs a token, posts the log, and goes on. Plain fetch, and HS256 by node:crypto.
const { createHmac } = require('node:crypto')

const url = process.env.DAYBOOK_URL ?? 'http://127.0.0.1:8080'
const secret = process.env.JWT_SECRET

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const token = (claims) => {
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}
const seconds = Math.floor(Date.now() / 1000)
const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token({ name: 'ta-vivo-api', iat: seconds, exp: seconds + 60 })}` }

const main = async () => {
  const check = { id: 42, name: 'Shop', target: 'https://shop.example', periodToCheckLabel: '5 minutes' }
  const log = {
    userId: 1,
    action: 'update',
    metaData: { entity: 'check', old: check, edited: { name: 'Shop', target: 'https://shop.example/health' } },
  }
  const answer = await fetch(`${url}/logs`, { method: 'POST', headers, body: JSON.stringify(log) })
  const row = await answer.json()
  console.log(`recorded: ${answer.status}, action ${row.action}, evidence ${typeof row.leafHash}`)

  // What the original never had: the history of one check.
  const list = await (await fetch(`${url}/logs?entity=check&entityId=42`, { headers })).json()
  const rows = list.logs ?? list.data ?? list
  console.log(`history of check 42: ${rows.length} entry, first by user ${rows[0].userId}`)

  const refused = await fetch(`${url}/logs`, { method: 'POST', headers, body: '{}' })
  console.log(`an empty log: ${refused.status}`)
}
main()
