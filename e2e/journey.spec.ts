/**
 * The journey that must always work: sign in with GitHub, make an organization, link two machines by their codes, start an
 * agent on each, and see their message on the page. Everything is real but GitHub, which is an emulator over HTTP.
 */
import type { Page } from '@playwright/test'
import { expect, test, watch } from './support/test.ts'

test.describe.configure({ mode: 'serial' })
test.setTimeout(120_000)

let page: Page
let problems: string[]

test.beforeAll(async ({ browser, controlPlane }) => {
  const context = await browser.newContext({ baseURL: controlPlane.url })
  page = await context.newPage()
  problems = watch(page, [controlPlane.url, controlPlane.github])
})

test.afterAll(async () => {
  await page.context().close()
})

test('whoever is not signed in is sent to sign in, and comes back to where they wanted to go', async () => {
  await page.goto('/new')
  await expect(page).toHaveURL(/\/sign-in\?callbackUrl=/)
  await page.getByRole('button', { name: 'Continue with GitHub' }).click()
  await page.getByRole('button', { name: /alice/i }).first().click()
  await expect(page).toHaveURL(/\/new$/)
})

test('an organization is created and shows what to do first', async () => {
  await page.getByLabel('Name').fill('Acme')
  await page.getByRole('button', { name: 'Create the organization' }).click()
  await expect(page).toHaveURL(/\/o\/acme$/)
  await expect(page.getByRole('heading', { name: 'Get two agents talking' })).toBeVisible()
  await expect(page.locator('[aria-current=step]')).toContainText('Link this machine')
})

test('a slug that is taken is refused at its field', async () => {
  await page.goto('/new')
  await page.getByLabel('Name').fill('Acme')
  await page.getByLabel('Slug').fill('acme')
  await page.getByRole('button', { name: 'Create the organization' }).click()
  await expect(page.locator('form').getByRole('alert')).toContainText('acme-2')
  await expect(page).toHaveURL(/\/new$/)
})

test('two machines are linked by the codes that their terminals show', async ({ controlPlane, machine }) => {
  await page.goto('/o/acme')
  for (const name of ['alice-mbp', 'bob-mbp']) {
    const link = machine(name).start(['link', '--url', controlPlane.url, '--name', name, '--no-open'])
    const [, url] = await link.printed(/open (http\S+)/)
    const [, code] = await link.printed(/code ([A-Z]{4}-[A-Z]{4})/)
    const approval = await page.context().newPage()
    await approval.goto(url as string)
    await expect(approval.getByText(code as string).first()).toBeVisible()
    await expect(approval.getByText(name, { exact: true })).toBeVisible()
    await approval.getByRole('radio', { name: /Acme/ }).check()
    await approval.getByRole('button', { name: 'Link to Acme' }).click()
    await expect(approval.getByText(`${name} is linked to Acme`)).toBeVisible()
    await approval.close()
    const { code: exit, stdout } = await link.finished()
    expect(exit).toBe(0)
    expect(stdout).toContain(`${name} is linked to Acme`)
  }
  // The page has ticked the step off by itself: it was never loaded again.
  await expect(page.locator('[aria-current=step]')).toContainText('Start an agent')
})

test('a wrapped agent writes to another machine’s, and the page shows its way live', async ({ machine }) => {
  const alice = machine('alice-mbp')
  const bob = machine('bob-mbp')
  await Promise.all([alice.run(['up']), bob.run(['up'])])
  const hears = bob.start(['run', 'Bob', '--', 'cat'])
  await expect(page.locator('[aria-current=step]')).toContainText('Start another')
  const speaks = alice.start([
    'run',
    'Alice',
    '--',
    'sh',
    '-c',
    'read -r line; echo "->relay:Bob $line"; cat >/dev/null',
  ])
  await expect(page.locator('[aria-current=step]')).toContainText('Send the first message')
  speaks.child.stdin?.write('What does /users return?\n')
  await hears.printed(/from="Alice"[^>]*machine="alice-mbp"[^>]*>\s+What does \/users return\?/)
  await expect(page.getByRole('heading', { name: 'Get two agents talking' })).toBeHidden()

  await page.getByRole('link', { name: 'Messages' }).first().click()
  const row = page
    .getByRole('listitem')
    .filter({ has: page.getByRole('link', { name: /Alice.*Bob/ }) })
    .first()
  // The two may have found a direct link before the first message.
  await expect(row).toContainText(/relay|direct/)
  await expect(row).toContainText('injected')
  await expect(row).toContainText(/\d ms|\d s/)
})

test('a message sent while the page is open appears on it without loading it again', async ({ machine }) => {
  const sent = await machine('alice-mbp').run([
    'send',
    'Bob',
    'seen live',
    '--from',
    'Alice',
    '--wait=injected',
    '--json',
  ])
  const { id } = JSON.parse(sent.stdout).messages[0]
  await expect(page.locator(`a[href*="${id}"]`)).toBeVisible()
})

test('a message to a machine that is away waits in the cloud, and arrives once when it is back', async ({
  machine,
}) => {
  const bob = machine('bob-mbp')
  await bob.run(['down'])
  await page.goto('/o/acme/machines')
  await expect(page.getByRole('row', { name: /bob-mbp/ })).toContainText(/offline/)
  const alice = machine('alice-mbp')
  // Exit code 5: queued, and the awaited receipt did not come in time.
  const sent = await alice.run(
    ['send', 'Bob', 'while you were away', '--from', 'Alice', '--wait', '--timeout', '3s'],
    5,
  )
  expect(sent.stderr).toMatch(/stored/)
  await bob.run(['up'])
  const hears = bob.start(['run', 'Bob', '--', 'cat'])
  await hears.printed(/while you were away/)
  const inbox = JSON.parse((await bob.run(['inbox', 'Bob', '--json'])).stdout)
  const bodies = inbox.entries.map((entry: { message: { body: string } }) => entry.message.body)
  expect(bodies.filter((body: string) => body === 'while you were away')).toHaveLength(1)
})

test('a name that another machine holds is refused with its owner and a free name', async ({ machine }) => {
  const finished = await machine('alice-mbp').run(['run', 'Bob', '--', 'cat'], 1)
  expect(finished.stderr).toMatch(/Bob is held by alice on bob-mbp/)
  expect(finished.stderr).toContain('Bob-2')
})

test('a revoked machine is out within two seconds, and its terminal says what to do', async ({ machine }) => {
  const bob = machine('bob-mbp')
  await page.goto('/o/acme/machines')
  const row = page.getByRole('row', { name: /bob-mbp/ })
  await row.getByRole('button', { name: /revoke/i }).click()
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /revoke/i })
    .click()
  const since = Date.now()
  await expect
    .poll(async () => (await bob.run(['status'])).stdout, { intervals: [100], timeout: 10_000 })
    .toContain('revoked')
  // The command's own start is part of the time.
  expect(Date.now() - since).toBeLessThan(4_000)
  expect((await bob.run(['status'])).stdout).toContain('agent-relay link')
})

test('no page complained on the way', () => {
  expect(problems).toEqual([])
})
