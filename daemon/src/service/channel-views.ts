/** What commands show of people and channels: as the last roster says, also while the control plane is away. */
import type { ChannelView, PersonView } from '@agent-relay/protocol/local'
import type { State } from '../core/state.ts'

export const peopleViews = (state: State): PersonView[] =>
  [...(state.roster?.people.values() ?? [])].map(({ handle, name }) => ({ handle, name }))

export const channelViews = (state: State): ChannelView[] =>
  [...(state.roster?.channels.values() ?? [])].map(({ name, topic, members, people }) => {
    const agents = members.map((key) => state.agents.get(key)?.name ?? state.roster?.agents.get(key)?.name ?? key)
    const isHere = (key: string): boolean => state.agents.has(key) && state.agents.get(key)?.claim !== 'refused'
    return {
      name,
      topic: topic ?? null,
      agents,
      people: people ?? [],
      here: members.filter(isHere).map((key) => state.agents.get(key)?.name ?? key),
    }
  })
