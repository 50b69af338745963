// Fastify: Node's fast framework and pg's pool, with schemas for what they answer and statements by name. Reads only.
// The database is in pg's own environment variables, the port in the arguments.

import Fastify from 'fastify'
import pg from 'pg'

pg.types.setTypeParser(pg.types.builtins.INT8, Number)
const pool = new pg.Pool({ max: 15 })
const app = Fastify()

const user = {
  type: 'object',
  properties: { id: { type: 'integer' }, name: { type: 'string' }, email: { type: 'string' } },
}
const list = {
  type: 'object',
  properties: {
    items: { type: 'array', items: user },
    total: { type: 'integer' },
    page: { type: 'integer' },
    size: { type: 'integer' },
    pages: { type: 'integer' },
    next_cursor: { type: ['string', 'null'] },
  },
}
const querystring = {
  type: 'object',
  properties: {
    page: { type: 'integer', minimum: 1, default: 1 },
    size: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    cursor: { type: 'string' },
  },
}
const params = { type: 'object', properties: { id: { type: 'integer' } } }

async function rows(name, text, values) {
  return (await pool.query({ name, text, values })).rows
}

app.get('/health/live', async () => ({ status: 'live' }))

app.get('/users/:id', { schema: { params, response: { 200: user } } }, async (request, reply) => {
  const [found] = await rows('one', 'SELECT id, name, email FROM users WHERE id = $1', [request.params.id])
  return found ?? reply.code(404).send({ detail: 'User not found' })
})

app.get('/users', { schema: { querystring, response: { 200: list } } }, async (request) => {
  const { page, size, cursor } = request.query
  if (cursor !== undefined) {
    const text = 'SELECT id, name, email FROM users WHERE id > $1 ORDER BY id LIMIT $2'
    const found = await rows('after', text, [Number(cursor), size + 1])
    const items = found.slice(0, size)
    return { items, size, next_cursor: found.length > size ? String(items.at(-1).id) : null }
  }
  const [{ total }] = await rows('total', 'SELECT count(*) AS total FROM users', [])
  const text = 'SELECT id, name, email FROM users ORDER BY id LIMIT $1 OFFSET $2'
  const items = await rows('page', text, [size, (page - 1) * size])
  return { items, total, page, size, pages: Math.ceil(total / size) }
})

const port = Number(process.argv[process.argv.indexOf('--port') + 1])
await app.listen({ host: '127.0.0.1', port })
process.on('SIGTERM', () => app.close().then(() => pool.end()))
