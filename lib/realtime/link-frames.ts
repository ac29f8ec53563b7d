/** What machines that look for direct links ask of the control plane: to carry a signal, to call back, to show how links are. */
import { machineFrames } from '@agent-relay/protocol'
import { DomainError } from '#lib/errors.ts'
import { observedAddress } from '#lib/http/request-context.ts'
import { checkRate, countUse } from '#lib/rate-limit.ts'
import { saveLinks } from '#lib/services/machines/save-links.ts'
import type { Answering } from './answer.ts'
import { publish } from './bus.ts'
import type { Gateway } from './gateway.ts'
import type { MachineSession } from './machine-session.ts'
import { callBack } from './reach.ts'

/** Sixteen candidates with the longest host names take 6 KB; sealed and in base64url, 9. */
const maxSignalLength = 16 * 1024
/** Each is a connection to the machine's own address; it changes networks far less often. */
const callBacks = { name: 'reach.check', count: 10, windowMs: 60_000 }

export function listenToLinks(session: MachineSession, gateway: Gateway, { answer }: Answering): void {
  const { directories, sessions } = gateway
  const { ctx, machineId } = session
  const { orgId } = ctx.actor

  answer('signal', machineFrames.signal.input, async ({ to, id, sealed }) => {
    if (sealed.data.length > maxSignalLength)
      throw new DomainError('TOO_LARGE', `A signal has at most ${maxSignalLength} characters; say less at once.`)
    const directory = await directories.open(orgId)
    // A machine that was just linked may be newer than the directory.
    if (!directory.machine(to)) await directory.refresh()
    const machine = directory.machine(to)
    if (!machine) throw new DomainError('NOT_FOUND', `There is no machine ${JSON.stringify(to)} in this organization.`)
    const other = sessions.get(to)
    if (other?.ctx.actor.orgId !== orgId || other.speaks < 3 || other.isBackedUp)
      throw new DomainError(
        'NOT_CONNECTED',
        `${machine.name} takes no signals right now; send it when it is connected.`,
      )
    other.giveSignal({ from: machineId, id, sealed })
    return { done: true }
  })

  answer('links', machineFrames.links.input, async ({ links, isWhole }) => {
    const directory = await directories.open(orgId)
    const known = links.filter(
      ({ machine }) => machine !== machineId && machine !== orgId && directory.machine(machine),
    )
    await saveLinks(ctx, { sessionId: session.id, links: known, isWhole })
    publish('hint', { orgId, kinds: ['network'] })
    return { done: true }
  })

  answer('reach.check', machineFrames['reach.check'].input, async ({ port }) => {
    checkRate(callBacks, machineId)
    countUse(callBacks, machineId)
    const address = observedAddress(session.socket.request)
    if (address === null)
      return {
        address,
        isReachable: false,
        why: 'A proxy before the control plane hides from where this machine comes.',
      }
    return { address, ...(await callBack({ address, port, publicKey: session.socket.data.publicKey ?? '' })) }
  })
}
