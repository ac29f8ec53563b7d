/** A failing seed for people: what broke, the shortest way to it, and how to see it again. */
import type { Crew, Found } from './crew.ts'

/** More of a diary than this is no help. */
const MOST_LINES = 120

/** `lines`: how many of the diary's last. */
export async function explain(
  crew: Crew,
  { seed, failure }: Found,
  { variant, lines = MOST_LINES }: { variant?: string | undefined; lines?: number } = {},
): Promise<string> {
  const { schedule, diary, failure: shortest } = await crew.explain(seed)
  const { networks, machines, agents, actions } = schedule
  const left = diary.length - lines
  const again = `npm run sim -- --from ${seed} --seeds 1${variant === undefined ? '' : ` --variant ${variant}`}`
  return [
    `seed ${seed} fails: ${failure.text}`,
    '',
    `The shortest schedule that fails so (${shortest?.text ?? 'it passes alone'}):`,
    ...machines.map(({ skewMs, network, hasVpn }, i) => {
      const where = `in network ${network}, ${networks[network]}${hasVpn ? ', with a VPN' : ''}`
      return `  m${i} ${where}; its clock is ${skewMs} ms ahead`
    }),
    ...agents.map(({ name, machine, project }) => `  ${name} on m${machine}, project ${project ?? 'none'}`),
    ...actions.map((action) => `  ${JSON.stringify(action)}`),
    '',
    'What happens in it:',
    ...(left > 0 ? [`  … ${left} lines before`] : []),
    ...diary.slice(-lines).map((line) => `  ${line.slice(0, 400)}`),
    '',
    `Again: ${again}`,
  ].join('\n')
}
