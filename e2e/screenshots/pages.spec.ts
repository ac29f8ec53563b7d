/** Every page in both themes and both widths, on an organization with real machines: pictures in docs/images, and axe on each. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { type Browser, expect, type Page, test } from '@playwright/test'
import { paths } from '#lib/paths.ts'
import { makeMachine } from '../../scripts/scene/machine.ts'
import { type Person, signIn } from '../../scripts/scene/person.ts'
import { ownPlane, type Plane } from '../../scripts/scene/plane.ts'

const images = path.join(import.meta.dirname, '../../docs/images')
const looks = (['light', 'dark'] as const).flatMap((scheme) => [1280, 390].map((width) => ({ scheme, width })))

let plane: Plane
let person: Person
let orgs: { busy: string; empty: string }
const undo: (() => Promise<unknown>)[] = []

test.describe.configure({ mode: 'serial' })
test.beforeAll(async () => {
  test.setTimeout(240_000) // may build the pages
  plane = await ownPlane(() => {})
  undo.unshift(() => plane.stop())
  person = await signIn(plane.url, await plane.signInLink())
  const make = (name: string) => person.change<{ slug: string }>('orgs.create', { name })
  orgs = { busy: (await make('Acme')).slug, empty: (await make('Empty')).slug }
  await populate()
})
test.afterAll(async () => {
  for (const each of undo) await each()
})

/** Two machines with an agent each that have written to each other, and a message that waits for a third. */
async function populate(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'relay-pictures-'))
  undo.unshift(() => rm(folder, { recursive: true, force: true }))
  const [alice, bob, carol] = ['alice-mbp', 'bob-mbp', 'carol-lt'].map((name) => makeMachine(folder, name)) as [
    ReturnType<typeof makeMachine>,
    ReturnType<typeof makeMachine>,
    ReturnType<typeof makeMachine>,
  ]
  for (const [machine, agent] of [
    [alice, 'Alice'],
    [bob, 'Bob'],
    [carol, 'Carol'],
  ] as const) {
    await machine.link(plane.url, person, orgs.busy)
    await machine.run(['up'])
    undo.unshift(() => machine.remove())
    const child = machine.start(['run', agent, '--project', 'demo', '--', 'cat'])
    const ended = once(child, 'close')
    undo.unshift(() => {
      child.kill()
      return ended
    })
    await expect
      .poll(async () =>
        (await person.query<{ name: string }[]>('agents.list', { org: orgs.busy })).map((row) => row.name),
      )
      .toContain(agent)
  }
  const send = (machine: typeof alice, from: string, to: string, text: string) =>
    machine.run(['send', to, text, '--from', from, '--wait=injected', '--timeout', '20s'])
  await send(alice, 'Alice', 'Bob', 'What does /users return?')
  await send(bob, 'Bob', 'Alice', 'A list of users, 20 a page.')
  await send(carol, 'Carol', 'Alice', 'The sign-in page passes its checks.')
  await carol.run(['down'])
  await alice.run(['send', 'Carol', 'Please test the list of users.', '--from', 'Alice'])
  await expect
    .poll(
      async () =>
        (await person.query<{ isSetUp: boolean; figures: { waiting: number } }>('overview.get', { org: orgs.busy }))
          .figures.waiting,
    )
    .toBeGreaterThan(0)
}

async function open(browser: Browser, look: (typeof looks)[number]): Promise<Page> {
  const context = await browser.newContext({
    baseURL: plane.url,
    viewport: { width: look.width, height: look.width === 390 ? 844 : 800 },
    colorScheme: look.scheme,
    reducedMotion: 'reduce',
  })
  return context.newPage()
}

for (const look of looks) {
  test(`every page is drawn and has no axe violation: ${look.scheme}, ${look.width} px`, async ({ browser }) => {
    test.setTimeout(120_000)
    const page = await open(browser, look)
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    const picture = async (name: string) => {
      await page.screenshot({ path: path.join(images, `${name}-${look.width}-${look.scheme}.png`) })
      const { violations } = await new AxeBuilder({ page }).analyze()
      expect(violations.map(({ id, nodes }) => `${name}: ${id} ${nodes[0]?.html}`)).toEqual([])
    }
    const isLive = () => expect(page.getByRole('button', { name: 'Live. Pause live updates' })).toBeVisible()

    await page.goto(paths.signIn())
    await expect(page.getByRole('heading', { name: 'Sign in to Agent Relay' })).toBeVisible()
    await picture('sign-in')
    await page.goto(await plane.signInLink())
    await page.goto(paths.newOrg())
    await picture('new')
    await page.goto(paths.link())
    await expect(page.getByLabel('Code')).toBeVisible()
    await picture('link')
    await page.goto(paths.org(orgs.empty))
    await expect(page.getByRole('main').getByText('Waiting for a machine to link')).toBeVisible()
    await isLive()
    await picture('overview-empty')
    await page.goto(paths.org(orgs.busy))
    await expect(page.getByRole('heading', { name: 'Latest messages' })).toBeVisible()
    // Streamed parts wait hidden beside <main> before React moves them in: look inside.
    // Clipped boxes once folded to nothing here at 390 px.
    await expect(page.getByRole('main').getByText('Delivery p50')).toBeInViewport()
    await isLive()
    await picture('overview')
    await page.goto(paths.agents(orgs.busy))
    await expect(page.getByRole('link', { name: 'Carol' })).toBeVisible()
    await isLive()
    await picture('agents')
    await page.goto(paths.machines(orgs.busy))
    await expect(page.getByRole('button', { name: 'Revoke bob-mbp' })).toBeVisible()
    await isLive()
    await picture('machines')
    await page.goto(paths.messages(orgs.busy))
    await isLive()
    await picture('messages')
    await page.getByRole('list', { name: 'Messages, newest first' }).getByRole('link', { name: /Bob/ }).first().click()
    await expect(page.getByRole('heading', { name: 'Trace' })).toBeVisible()
    await picture('message')
    await page.goto(paths.settings(orgs.busy))
    await expect(page.getByLabel('Name')).toHaveValue('Acme')
    await picture('settings')
    await page.goto('/o/nobody')
    await expect(page.getByRole('heading', { name: 'There is no such page' })).toBeVisible()
    await picture('not-found')
    expect(problems).toEqual([])
    await page.context().close()
  })
}
