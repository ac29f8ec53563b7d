import { describe, expect, test } from 'vitest'
import { parseEnv } from './env.ts'

describe('parseEnv', () => {
  test('needs nothing', () => {
    expect(parseEnv({})).toMatchObject({ PORT: 3000, HOST: '127.0.0.1', PUBLIC_URL: 'http://localhost:3000' })
  })

  test('takes an empty value for unset, as .env files have them', () => {
    expect(parseEnv({ PORT: '', DATABASE_URL: '' })).toEqual(parseEnv({}))
  })

  test('makes the public URL of the port, and drops a closing slash', () => {
    expect(parseEnv({ PORT: '4100' }).PUBLIC_URL).toBe('http://localhost:4100')
    expect(parseEnv({ PUBLIC_URL: 'https://relay.example.com/' }).PUBLIC_URL).toBe('https://relay.example.com')
  })

  test.each([
    [{ PORT: 'abc' }, 'PORT is "abc" and must be a port from 0 to 65535'],
    [{ PORT: '70000' }, 'PORT is "70000" and must be a port from 0 to 65535'],
    [{ PORT: '80.5' }, 'PORT is "80.5" and must be a port from 0 to 65535'],
    [{ PUBLIC_URL: 'relay.example.com' }, 'must be an http:// or https:// URL'],
    [{ REDIS_URL: 'http://localhost' }, 'must be a redis:// URL'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL is "loud" and must be one of fatal, error'],
    [{ GITHUB_CLIENT_ID: 'x' }, 'belong together'],
  ])('%j stops with one line that says what is expected', (variables, expected) => {
    const parse = () => parseEnv(variables)
    expect(parse).toThrow(expected)
    expect(parse).toThrow(/^[^\n]*$/)
  })

  test.each([{ DATABASE_URL: 'mysql://root:hunter2@host/db' }, { AUTH_SECRET: 'hunter2' }])(
    '%j is refused without showing it',
    (variables) => {
      expect(() => parseEnv(variables)).toThrow(/^(?!.*hunter2).*must be/)
    },
  )
})
