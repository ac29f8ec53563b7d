import { expectTypeOf, test } from 'vitest'
import type * as source from '../src/client/index.ts'
import type * as published from '../src/client/sdk.d.ts'

test('the published types are those of the source', () => {
  expectTypeOf<published.ConnectOptions>().toEqualTypeOf<source.ConnectOptions>()
  expectTypeOf<published.SendOptions>().toEqualTypeOf<source.SendOptions>()
  expectTypeOf<published.HistoryOptions>().toEqualTypeOf<source.HistoryOptions>()
  expectTypeOf<published.Receipt>().toEqualTypeOf<source.Receipt>()
  expectTypeOf<keyof published.Incoming>().toEqualTypeOf<keyof source.Incoming>()
  expectTypeOf<source.Incoming>().toExtend<published.Incoming>()
  expectTypeOf<keyof published.Agent>().toEqualTypeOf<keyof source.Agent>()
  expectTypeOf<source.Agent>().toExtend<Omit<published.Agent, 'request'>>()
  expectTypeOf<source.RelayError>().toExtend<published.RelayError>()
})
