/** What lies between the machines and the control plane: latency, weather, cuts, and how each end learns that the other is gone. */
import type { Random } from './random.ts'
import type { Weather } from './schedule.ts'
import type { Session } from './session.ts'
import type { Timeline } from './timeline.ts'

type Frame = {
  session: Session
  way: 'up' | 'down'
  /** Frames with messages and what goes back for them may be lost, repeated and overtaken; the others keep their order. */
  isData: boolean
  arrive: () => void
}

export type Network = {
  carry(frame: Frame): void
  /** How much of a batch gets through: all, or in bad weather sometimes only its beginning. */
  torn<T>(machine: string, batch: T[]): T[]
  setWeather(machine: string, weather: Weather | undefined): void
  setCut(machine: string, isCut: boolean): void
  isCut(machine: string): boolean
  weatherOf(machine: string): Weather
  /** From here on every frame arrives, once. */
  heal(): void
  /** Ends the connection, at each end after its time. */
  sever(session: Session, hereAfterMs: number, thereAfterMs: number): void
  /** The machine woke up and reads what its connection still holds. */
  read(session: Session): void
}

const FAIR: Weather = { loss: 0.01, repeat: 0.02, tear: 0, slowMs: 0 }

type Options = { timeline: Timeline; random: Random; closedThere: (session: Session) => void }

export function createNetwork({ timeline, random, closedThere }: Options): Network {
  const weathers = new Map<string, Weather>()
  const cuts = new Set<string>()
  let usual = FAIR
  const weatherOf = (machine: string): Weather => weathers.get(machine) ?? usual

  function arrived({ session, way, arrive }: Frame): void {
    if (cuts.has(session.machine)) return
    if (way === 'up') {
      if (session.isOpenThere) arrive()
      return
    }
    if (!session.isOpenHere) return
    if (session.end.isAwake()) arrive()
    else session.unread.push(arrive)
  }

  return {
    carry(frame) {
      const { session, way, isData } = frame
      if (cuts.has(session.machine)) return
      const weather = weatherOf(session.machine)
      if (isData && random.chance(weather.loss)) return
      const copies = isData && random.chance(weather.repeat) ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        const slow = isData && weather.slowMs > 0 ? random.below(weather.slowMs) : 0
        let when = timeline.now() + random.between(1, 30) + slow
        // Nothing comes before what opened the connection, and frames that keep their order wait for each other.
        when = Math.max(when, session.lastAt[way])
        if (!isData) session.lastAt[way] = when
        timeline.at(when, () => arrived(frame))
      }
    },
    torn(machine, batch) {
      const isTorn = batch.length > 1 && random.chance(weatherOf(machine).tear)
      return isTorn ? batch.slice(0, random.between(1, batch.length - 1)) : batch
    },
    setWeather(machine, weather) {
      if (weather === undefined) weathers.delete(machine)
      else weathers.set(machine, weather)
    },
    setCut(machine, isCut) {
      if (isCut) cuts.add(machine)
      else cuts.delete(machine)
    },
    isCut: (machine) => cuts.has(machine),
    weatherOf,
    heal() {
      usual = { loss: 0, repeat: 0, tear: 0, slowMs: 0 }
      weathers.clear()
      cuts.clear()
    },
    sever(session, hereAfterMs, thereAfterMs) {
      timeline.at(timeline.now() + hereAfterMs, () => {
        if (!session.isOpenHere) return
        session.isOpenHere = false
        if (session.end.isAwake()) session.end.lost()
        else session.unread = [() => session.end.lost()]
      })
      timeline.at(timeline.now() + thereAfterMs, () => {
        if (!session.isOpenThere) return
        session.isOpenThere = false
        closedThere(session)
      })
    },
    read(session) {
      const frames = session.unread
      session.unread = []
      for (const frame of frames) frame()
    },
  }
}
