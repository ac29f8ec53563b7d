import { expect, test } from 'vitest'
import { peerSettings } from './settings.ts'

const none = { peerPort: undefined, advertise: undefined, portMapping: undefined }

test('unset it takes a port of its own, asks the router, and advertises nothing', () => {
  expect(peerSettings(none)).toEqual({ port: undefined, advertised: [], isMappingOff: false })
})

test('a port, off, and no mapping', () => {
  expect(peerSettings({ ...none, peerPort: '41650' }).port).toBe(41_650)
  expect(peerSettings({ ...none, peerPort: 'off' }).port).toBe(null)
  expect(peerSettings({ ...none, portMapping: 'off' }).isMappingOff).toBe(true)
})

test('a bad value is named with what it should be', () => {
  for (const peerPort of ['0', '80', '65536', '4e3', 'no', '-1', '0x1000'])
    expect(() => peerSettings({ ...none, peerPort }), peerPort).toThrow(
      /^AGENT_RELAY_PEER_PORT is ".*": set it to a port/,
    )
  expect(() => peerSettings({ ...none, portMapping: 'never' })).toThrow(/^AGENT_RELAY_PORT_MAPPING is "never"/)
})
