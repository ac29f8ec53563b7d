import { bundle, variantNamed } from './bundle.ts'
import { createCrew } from './crew.ts'

for (const name of process.argv.slice(2)) {
  const crew = createCrew(await bundle(variantNamed(name)), 2)
  let best: any
  const { found } = await crew.play({ from: 0, count: 2000, mostFound: 6 })
  for (const { seed } of found) {
    const e = await crew.explain(seed)
    if (!best || e.schedule.actions.length < best.schedule.actions.length) best = e
  }
  console.log(name, found.map((f) => f.seed).join(), best?.failure?.text)
  console.log(JSON.stringify(best?.schedule))
  await crew.end()
}
process.exit(0)
