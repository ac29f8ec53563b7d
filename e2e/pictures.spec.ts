/**
 * Every page, light and dark, wide and narrow: axe finds nothing, and the picture is kept. `npm run pictures` writes them to
 * docs/images; a plain test run to test-results.
 */
import path from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { BrowserContext, Page } from '@playwright/test'
import type { ControlPlane } from './support/control-plane.ts'
import type { TestMachine } from './support/machine.ts'
import { links, machines, seedNetwork } from './support/network.ts'
import { expect, test, watch } from './support/test.ts'

test.describe.configure({ mode: 'serial' })
test.setTimeout(240_000)

const folder = process.env.PICTURES_DIR ?? path.join('test-results', 'pictures')
const sizes = [
  { name: '1280', width: 1280, height: 800 },
  { name: '390', width: 390, height: 844 },
]
const themes = ['light', 'dark'] as const

let context: BrowserContext
let page: Page
let problems: string[]

test.beforeAll(async ({ browser, controlPlane }) => {
  context = await browser.newContext({ baseURL: controlPlane.url })
  page = await context.newPage()
  problems = watch(page, [controlPlane.url, controlPlane.github])
})

test.afterAll(async () => {
  await context.close()
})

/** Takes one page in all its forms. `ready` is what must be seen first. */
async function picture(name: string, ready: (at: Page) => Promise<void>, at: Page = page): Promise<void> {
  for (const size of sizes) {
    await at.setViewportSize(size)
    for (const theme of themes) {
      await at.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
      await ready(at)
      await expect(at.locator('[aria-busy=true]')).toHaveCount(0)
      await at.screenshot({ path: path.join(folder, `${name}-${size.name}-${theme}.png`), animations: 'disabled' })
      const { violations } = await new AxeBuilder({ page: at }).analyze()
      const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)
      expect.soft(found, `${name} ${size.name} ${theme}`).toEqual([])
      const overflow = await at.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      expect.soft(overflow, `${name} ${size.name} is wider than its window`).toBeLessThanOrEqual(0)
    }
  }
}

/** The page can be read before it listens: what is typed until then is not in the field. */
async function write(to: string, text: string): Promise<void> {
  const field = page.getByRole('textbox', { name: `Message to ${to}` })
  await expect(async () => {
    await field.fill(text)
    await expect(page.getByRole('button', { name: /^Send/ })).toBeEnabled({ timeout: 500 })
  }).toPass()
  await field.press('Control+Enter')
}

const heading = (name: string | RegExp) => (at: Page) => expect(at.getByRole('heading', { name }).first()).toBeVisible()

test('signed out', async () => {
  await page.goto('/sign-in')
  await picture('sign-in', heading('Sign in to Agent Relay'))
  await page.getByRole('button', { name: 'Continue with GitHub' }).click()
  await page.getByRole('button', { name: /alice/i }).first().click()
  await page.waitForURL(/\/o\/|\/new/)
})

test('an empty organization', async () => {
  await page.goto('/new')
  await picture('new-organization', (at) => expect(at.getByLabel('Name')).toBeVisible())
  await page.getByLabel('Name').fill('Acme')
  await page.getByRole('button', { name: 'Create the organization' }).click()
  await page.waitForURL(/\/o\/acme/)
  await picture('overview-empty', heading('Get two agents talking'))
  for (const name of ['inbox', 'agents', 'machines', 'network', 'messages', 'channels'] as const) {
    await page.goto(`/o/acme/${name}`)
    await picture(`${name}-empty`, heading(new RegExp(name, 'i')))
  }
  await page.goto('/link')
  await picture('link-code', (at) => expect(at.getByLabel('Code')).toBeVisible())
})

test('machines that ask to be linked, and an organization at work', async ({ controlPlane, machine }) => {
  const alice = await linked(controlPlane, machine('alice-mbp'), true)
  const bob = await linked(controlPlane, machine('bob-mbp'))
  const build = await linked(controlPlane, machine('build-01'))
  await Promise.all([alice.run(['up']), bob.run(['up']), build.run(['up'])])
  const agents = [
    await agent(alice, 'Lead', 'frontend'),
    await agent(alice, 'Designer', 'frontend'),
    await agent(bob, 'API', 'backend'),
    await agent(bob, 'DB', 'backend'),
    await agent(build, 'Mobile', 'mobile'),
  ]
  await said(alice, 'Lead', 'API', 'What does GET /users return?')
  await said(bob, 'API', 'Lead', 'A page of 50, newest first.')
  await said(bob, 'DB', 'API', 'The index on users.created_at is in.')
  await said(alice, 'Lead', '*', 'Design review at three.')
  await said(alice, 'Designer', '*:*', 'The new tokens are on main.')
  agents.at(-1)?.child.kill('SIGTERM')
  await build.run(['down'])
  await alice.run(
    ['send', 'Mobile', 'Please rebuild with the new tokens.', '--from', 'Designer', '--wait', '--timeout', '2s'],
    5,
  )
  await bob.run(['send', 'Mobile', 'The API is on staging.', '--from', 'API', '--wait', '--timeout', '2s'], 5)
  const expiring = ['send', 'Mobile', 'Are you there?', '--from', 'Lead', '--ttl', '2s', '--wait', '--timeout', '20s']
  await alice.run(expiring, 1)

  await alice.run(['join', '#token-api', '--as', 'Lead'])
  await bob.run(['join', '#token-api', '--as', 'API'])
  await said(bob, 'DB', '@alice', 'Migration 0043 needs a lock of 2 s on users. Now, or tonight?')
  await said(alice, 'Lead', '#token-api', 'Token refresh rotates on every call from now on.')
  await said(bob, 'API', '@alice', report)
  await said(bob, 'API', '@alice', 'Shall I deploy to staging?')

  await page.goto('/o/acme')
  await picture('overview', (at) => expect(at.getByText('Delivered').first()).toBeVisible())
  await page.goto('/o/acme/agents')
  await picture('agents', (at) => expect(at.getByText('Designer').first()).toBeVisible())
  await page.goto('/o/acme/machines')
  await picture('machines', (at) => expect(at.getByText('bob-mbp').first()).toBeVisible())
  await page.goto('/o/acme/messages')
  await picture('messages', (at) => expect(at.getByText('Designer').first()).toBeVisible())
  await page.setViewportSize({ width: 1280, height: 800 })
  await page
    .getByRole('link', { name: /Lead.*API/ })
    .first()
    .click()
  await picture('message', (at) =>
    expect(at.getByRole('region', { name: 'Message' }).getByText('Accepted').first()).toBeVisible(),
  )
  await page.goto('/o/acme/inbox')
  await picture('inbox', (at) =>
    expect(at.getByRole('list', { name: /^Conversations/ }).getByText('Shall I deploy to staging?')).toBeVisible(),
  )
  await page.goto('/o/acme/inbox?with=agent:api')
  await write('API', 'Yes. Tell #token-api when it is out.')
  await picture('conversation', (at) => expect(at.getByRole('article').last()).toContainText('injected'))
  await page.goto('/o/acme/inbox?with=agent:mobile')
  await write('Mobile', 'Call me when you are back.')
  await picture('conversation-away', (at) => expect(at.getByRole('article').last()).toContainText('stored'))
  await page.goto('/o/acme/channels')
  await picture('channels', (at) => expect(at.getByRole('row', { name: /#token-api/ })).toBeVisible())
  await page.goto('/o/acme/channels?channel=token-api')
  await picture('channel', (at) => expect(at.getByRole('region', { name: 'Channel' })).toContainText('API'))
  await page.goto('/o/acme/messages?show=failed')
  await picture('messages-failed', (at) => expect(at.getByRole('listitem').first()).toContainText('expired'))
  await page.goto('/o/acme/settings')
  await picture('settings', (at) => expect(at.getByText('Slug').first()).toBeVisible())
  await page.goto('/o/nobody-has-this')
  await picture('not-found', heading(/not|no/i))
  expect(problems).toEqual([])
})

test('a network in which machines reach each other in every way', async ({ controlPlane }) => {
  await page.goto('/new')
  await page.getByLabel('Name').fill('Northwind')
  await page.getByRole('button', { name: 'Create the organization' }).click()
  await page.waitForURL(/\/o\/northwind/)
  await seedNetwork(controlPlane, 'northwind', { machines, links })
  await page.goto('/o/northwind/network')
  await picture('network', drawn)
  const row = page.getByRole('row', { name: /alice-mbp.*carol-lt/ })
  await row.getByRole('link').click()
  await picture('network-link', async (at) => {
    await expect(at.getByRole('region', { name: 'Link' })).toContainText('alice-mbp says')
    await drawn(at)
  })
  expect(problems).toEqual([])
})

/** The table is there, and beside it, where there is room, the picture. */
async function drawn(at: Page): Promise<void> {
  await expect(at.getByRole('row', { name: /bob-mbp.*carol-lt/ })).toContainText('punched')
  const picture = at.getByRole('region', { name: 'Picture of the network' })
  if ((at.viewportSize()?.width ?? 0) < 640) await expect(picture).toBeHidden()
  else await expect(picture.getByRole('button', { name: '28 ms punched' })).toBeVisible()
}

const report = `GET /users is done:

	const { rows, total } = await get('/users?page=3')

- a page past the end is empty and has the right total
- https://staging.acme.test/users has it since 14:10`

/** Links by the device flow as a person does; the first time the approval page has its picture taken. */
async function linked(controlPlane: ControlPlane, machine: TestMachine, isPictured = false): Promise<TestMachine> {
  const link = machine.start(['link', '--url', controlPlane.url, '--name', machine.name, '--no-open'])
  const [, url] = await link.printed(/open (http\S+)/)
  const approval = await context.newPage()
  await approval.goto(url as string)
  await approval.getByRole('radio', { name: /Acme/ }).check()
  if (isPictured) await picture('link', (at) => expect(at.getByText(machine.name).first()).toBeVisible(), approval)
  await approval.getByRole('button', { name: 'Link to Acme' }).click()
  if (isPictured) await picture('link-done', (at) => expect(at.getByText('is linked to Acme')).toBeVisible(), approval)
  await link.finished()
  await approval.close()
  return machine
}

async function agent(machine: TestMachine, name: string, project: string) {
  const running = machine.start(['run', name, '--project', project, '--', 'sh', '-c', 'echo ready; cat >/dev/null'])
  await running.printed(/ready/)
  return running
}

async function said(machine: TestMachine, from: string, to: string, text: string): Promise<void> {
  // People and channels take it at once; an agent has it when it was handed to it.
  const state = /^[@#]/.test(to) ? 'accepted' : 'injected'
  await machine.run(['send', to, text, '--from', from, `--wait=${state}`, '--timeout', '20s'])
}
