/** A failing seed for people: what broke, the shortest way to it, and how to see it again. */
import type { Crew, Found } from './crew.ts'

/** More of a diary than this is no help. */
const MOST_LINES = Number(process.env.MOST ?? 120)

export async function explain(crew: Crew, { seed, failure }: Found, variant?: string): Promise<string> {
  const { schedule, diary, failure: shortest } = await crew.explain(seed)
  const { machines, agents, actions } = schedule
  const left = diary.length - MOST_LINES
  const again = `npm run sim -- --from ${seed} --seeds 1${variant === undefined ? '' : ` --variant ${variant}`}`
  return [
    `seed ${seed} fails: ${failure.text}`,
    '',
    `The shortest schedule that fails so (${shortest?.text ?? 'it passes alone'}):`,
    ...machines.map(({ skewMs }, i) => `  m${i}: its clock is ${skewMs} ms ahead`),
    ...agents.map(({ name, machine, project }) => `  ${name} on m${machine}, project ${project ?? 'none'}`),
    ...actions.map((action) => `  ${JSON.stringify(action)}`),
    '',
    'What happens in it:',
    ...(left > 0 ? [`  … ${left} lines before`] : []),
    ...diary.slice(-MOST_LINES).map((line) => `  ${line.slice(0, 400)}`),
    '',
    `Again: ${again}`,
  ].join('\n')
}
