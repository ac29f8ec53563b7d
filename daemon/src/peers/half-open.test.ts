import { expect, test } from 'vitest'
import { createHalfOpen, groupOf } from './half-open.ts'

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::6', '2001:db8:1:2'],
  ['2001:DB8::6', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['', ''],
])('%s is counted as %s', (address, group) => {
  expect(groupOf(address)).toBe(group)
})

test('the oldest of one address gives way, and the oldest of all', () => {
  const dropped: string[] = []
  const half = createHalfOpen(4, 2)
  const enter = (address: string, name: string) => half.enter(address, () => dropped.push(name))
  const leave = enter('192.0.2.1', 'a')
  for (const [address, name] of [
    ['192.0.2.1', 'b'],
    ['192.0.2.2', 'c'],
  ] as const)
    enter(address, name)
  enter('192.0.2.1', 'd')
  expect(dropped).toEqual(['a'])
  // It has gone already.
  leave()
  enter('192.0.2.3', 'e')
  enter('192.0.2.4', 'f')
  expect(dropped).toEqual(['a', 'b'])
  expect(half.count()).toBe(4)
})
