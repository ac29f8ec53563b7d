/** A daemon within the test's own process, so that its heap, its handles and its defects can be seen. */
import { networkInterfaces } from 'node:os'
import { createRunHost } from '../../src/agents/host.ts'
import { openHome } from '../../src/home/home.ts'
import { listenLocally } from '../../src/local/server.ts'
import type { Log } from '../../src/log.ts'
import { watchNetwork } from '../../src/peers/network-watch.ts'
import { createControl } from '../../src/service/control.ts'
import { createMail } from '../../src/service/mail.ts'
import { netcheckView } from '../../src/service/netcheck.ts'
import { createPeering } from '../../src/service/peering.ts'
import { createSealer } from '../../src/service/seals.ts'
import { createService } from '../../src/service/service.ts'
import { openSession } from '../../src/service/session.ts'
import { statusView } from '../../src/service/status.ts'
import { openStore } from '../../src/store/store.ts'

/** What daemon.ts puts together, but for the process: no lock, no signals; `shutdown` is only counted. */
export async function daemonHere(home: string, { helloMs }: { helloMs?: number } = {}) {
  const paths = openHome(home)
  /** What the log got beyond what is usual. */
  const complaints: string[] = []
  const complain = (text: string, fields?: { error?: unknown }) =>
    void complaints.push(`${text} ${(fields?.error as Error | undefined)?.stack ?? JSON.stringify(fields)}`)
  const log: Log = { error: complain, warn: complain, info: () => undefined, debug: () => undefined }
  const store = openStore(paths.db, { index: paths.search, warn: (text) => complain(text) })
  const runHost = createRunHost()
  const engine = () => service.engine
  const sealer = createSealer({
    ...{ paths, log, trust: () => control.trust(), known: () => engine().state().roster },
    putSeals: (seals) => control.putSeals(seals),
  })
  const mail = createMail({ engine, sealer, log })
  const control = createControl({ paths, store, log, version: '0.1.0', engine, mail, sealer })
  const network = watchNetwork()
  const peering = createPeering({
    ...{ paths, log, store, engine, control, sealer, mail },
    settings: { port: null, advertised: [], isMappingOff: true },
    network,
  })
  let shutdowns = 0
  const service = createService({
    ...{ paths, store, log, runHost, outward: control.outward, restored: control.restore, channels: control.channels },
    status: () =>
      statusView({
        ...{ version: '0.1.0', home, uptimeMs: performance.now(), store, control },
        ...{ state: service.engine.state(), now: service.engine.now() },
        ...{ links: peering.views(), sealing: sealer.view() },
      }),
    peering,
    netcheck: async () =>
      netcheckView({
        ...{ url: control.link()?.url ?? null, control: control.view() },
        ...{ facts: await peering.netcheck(), interfaces: networkInterfaces() },
      }),
    channels: () => control.channels(),
    reload: () => control.load(),
    shutdown: () => void shutdowns++,
  })
  let open = 0
  const server = await listenLocally({
    ...{ path: paths.socket, version: '0.1.0', log, ...(helloMs !== undefined && { helloMs }) },
    open(connection, proof) {
      const session = openSession(service, connection, proof)
      open++
      return {
        get agent() {
          return session.agent
        },
        handle: (request) => session.handle(request),
        closed() {
          open--
          session.closed()
        },
      }
    },
  })
  return {
    socket: paths.socket,
    complaints,
    /** Sessions that are open. */
    sessions: () => open,
    shutdowns: () => shutdowns,
    async stop() {
      await runHost.stop()
      sealer.stop()
      service.stop()
      await server.close()
      store.close()
      network.stop()
    },
  }
}
