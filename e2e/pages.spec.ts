/** What the pages do under the hands of a person: mouse, keyboard, small screen; and what they weigh. axe looks at what opens. */
import { gzipSync } from 'node:zlib'
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { links, machines, seedNetwork } from './support/network.ts'
import { expect, test, watch } from './support/test.ts'

test.describe.configure({ mode: 'serial' })
test.setTimeout(60_000)

/** Bytes of script, gzipped, that a page of an organization may load at first: performance.md, `page`. */
const SCRIPT_LIMIT = 180_000

let page: Page
let problems: string[]

test.beforeAll(async ({ browser, controlPlane }) => {
  const context = await browser.newContext({ baseURL: controlPlane.url, reducedMotion: 'reduce' })
  page = await context.newPage()
  problems = watch(page, [controlPlane.url, controlPlane.github])
  await page.goto('/new')
  await page.getByRole('button', { name: 'Continue with GitHub' }).click()
  await page.getByRole('button', { name: /alice/i }).first().click()
  await page.getByLabel('Name').fill('Acme')
  await page.getByRole('button', { name: 'Create the organization' }).click()
  await expect(page).toHaveURL(/\/o\/acme$/)
})

test.afterAll(async () => {
  await page.context().close()
})

/** No rule of axe is broken, with whatever is open right now. */
async function isAccessible(): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect.soft(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([])
}

for (const name of ['', '/inbox', '/agents', '/machines', '/network', '/messages', '/channels', '/settings'])
  test(`the first load of /o/acme${name} is light`, async () => {
    const html = await (await page.request.get(`/o/acme${name}`)).text()
    const tags = [...html.matchAll(/<script\b[^>]*\bsrc="([^"]+)"[^>]*>/g)]
    const scripts = new Set(tags.filter(([tag]) => !/\bnomodule\b/i.test(tag)).map(([, src]) => src as string))
    expect(scripts.size).toBeGreaterThan(5)
    let size = 0
    for (const src of scripts) size += gzipSync(await (await page.request.get(src)).body()).length
    test.info().annotations.push({ type: 'script', description: `${(size / 1000).toFixed(1)} kB` })
    expect(size).toBeLessThanOrEqual(SCRIPT_LIMIT)
  })

test('a machine that is denied is told so by its terminal, and is not linked', async ({ controlPlane, machine }) => {
  const link = machine('stranger').start(['link', '--url', controlPlane.url, '--name', 'stranger', '--no-open'])
  const [, url] = await link.printed(/open (http\S+)/)
  await page.goto(url as string)
  await page.getByRole('button', { name: 'Deny' }).click()
  await expect(page.getByText('stranger was denied')).toBeVisible()
  const { code, stderr } = await link.finished()
  expect(code).toBe(1)
  expect(stderr).toMatch(/denied/)
  await page.goto('/o/acme/machines')
  await expect(page.getByRole('heading', { name: 'No machine is linked' })).toBeVisible()
})

test('a machine is approved by keyboard alone', async ({ controlPlane, machine }) => {
  const link = machine('alice-mbp').start(['link', '--url', controlPlane.url, '--name', 'alice-mbp', '--no-open'])
  const [, code] = await link.printed(/code ([A-Z]{4}-[A-Z]{4})/)
  await page.goto('/link')
  await tabTo('Code')
  await page.keyboard.type(code as string)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('radio', { name: /Acme/ })).toBeChecked()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('radio', { name: /Acme/ })).toBeFocused()
  await page.keyboard.press('ArrowDown')
  await expect(page.getByRole('radio', { name: /Acme/ })).not.toBeChecked()
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Tab')
  await expect(page.getByRole('button', { name: 'Link to Acme' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByText('alice-mbp is linked to Acme')).toBeVisible()
  expect((await link.finished()).code).toBe(0)
})

/** Presses Tab until the field with this label has the focus. */
async function tabTo(label: string): Promise<void> {
  const field = page.getByLabel(label)
  await expect(field).toBeVisible()
  for (let presses = 0; presses < 10; presses++) {
    if (await field.evaluate((element) => element === document.activeElement)) return
    await page.keyboard.press('Tab')
  }
  await expect(field).toBeFocused()
}

test('Ctrl K goes to a page, and gives the focus back when it is closed', async () => {
  await page.goto('/o/acme')
  const live = page.getByRole('button', { name: /^Live/ })
  await live.focus()
  await page.keyboard.press('Control+k')
  const palette = page.getByRole('dialog', { name: 'Go to' })
  await expect(palette.getByRole('option', { name: /alice-mbp/ })).toBeVisible()
  await isAccessible()
  await page.keyboard.press('Escape')
  await expect(palette).toBeHidden()
  await expect(live).toBeFocused()
  await page.keyboard.press('Control+k')
  await expect(palette.getByRole('combobox')).toBeFocused()
  await page.keyboard.type('machin')
  await expect(palette.getByRole('option').first()).toHaveText('Machines')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/o\/acme\/machines$/)
})

test('? lists the shortcuts, and one of them works', async () => {
  await page.keyboard.press('?')
  const dialog = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
  await expect(dialog).toBeVisible()
  await isAccessible()
  await page.keyboard.press('Escape')
  await expect(dialog).toBeHidden()
  await page.keyboard.press('g')
  await page.keyboard.press('e')
  await expect(page).toHaveURL(/\/o\/acme\/messages$/)
})

test('the theme is chosen in the account menu and stays after a reload', async () => {
  await page.getByRole('button', { name: /account menu/ }).click()
  await expect(page.getByRole('menuitem', { name: 'Dark' })).toBeVisible()
  await isAccessible()
  await page.getByRole('menuitem', { name: 'Dark' }).click()
  await expect(page.locator('html')).toHaveClass(/dark/)
  await page.keyboard.press('Escape')
  await page.reload()
  await expect(page.locator('html')).toHaveClass(/dark/)
  await page.getByRole('button', { name: /switch organization/ }).click()
  await expect(page.getByRole('menuitem', { name: 'Create an organization' })).toBeVisible()
  await isAccessible()
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: /account menu/ }).click()
  await page.getByRole('menuitem', { name: 'Light' }).click()
  await expect(page.locator('html')).not.toHaveClass(/dark/)
})

test('a key for a machine without a browser is shown once', async () => {
  await page.goto('/o/acme/machines')
  await page.getByRole('button', { name: 'Link a machine' }).click()
  const dialog = page.getByRole('dialog', { name: 'Link a machine' })
  await dialog.getByRole('button', { name: 'Without a browser' }).click()
  await dialog.getByLabel('Name of the machine').fill('build-01')
  await dialog.getByRole('button', { name: 'Create the key' }).click()
  await expect(dialog.getByText(/^ar_live_/)).toBeVisible()
  await isAccessible()
  await dialog.getByRole('button', { name: 'I have kept the key' }).click()
  await expect(dialog).toBeHidden()
  await expect(page.getByRole('row', { name: /build-01/ })).toContainText('key unused')
  await page.getByRole('button', { name: 'Link a machine' }).click()
  await dialog.getByRole('button', { name: 'Without a browser' }).click()
  await expect(dialog.getByLabel('Name of the machine')).toBeVisible()
  await expect(page.getByText(/ar_live_\w{20}/)).toHaveCount(0)
  await page.keyboard.press('Escape')
})

test('messages are found by name and by state, and the address keeps both', async ({ machine }) => {
  const alice = machine('alice-mbp')
  await alice.run(['up'])
  for (const name of ['Alice', 'Bob', 'Carol']) {
    const agent = alice.start(['run', name, '--', 'sh', '-c', 'echo ready; cat >/dev/null'])
    await agent.printed(/ready/)
  }
  await alice.run(['send', 'Bob', 'one', '--from', 'Alice', '--wait=injected'])
  await alice.run(['send', 'Carol', 'two', '--from', 'Alice', '--wait=injected'])
  await page.goto('/o/acme/messages')
  const rows = page.getByRole('list', { name: /^Messages/ }).getByRole('listitem')
  await expect(rows).toHaveCount(2)
  await page.keyboard.press('/')
  await page.keyboard.type('carol')
  await expect(page).toHaveURL(/q=carol/)
  await expect(rows).toHaveCount(1)
  await expect(rows).toContainText('Alice→Carol')
  await page.reload()
  await expect(rows).toHaveCount(1)
  await page.getByRole('button', { name: /^Failed/ }).click()
  await expect(page).toHaveURL(/show=failed/)
  await expect(page.getByRole('heading', { name: 'No message matches' })).toBeVisible()
  await page.getByRole('button', { name: 'Show all' }).click()
  await expect(page).toHaveURL(/\/messages$/)
  await expect(rows).toHaveCount(2)
  await rows.last().getByRole('link').click()
  await expect(page).toHaveURL(/message=/)
  await expect(page.getByRole('region', { name: 'Message' })).toContainText('Alice→Bob')
  await page.keyboard.press('k')
  await expect(page.getByRole('region', { name: 'Message' })).toContainText('Alice→Carol')
  await page.goBack()
  await expect(page.getByRole('region', { name: 'Message' })).toBeHidden()
})

test('a paused page stays as it is until it is resumed', async ({ machine }) => {
  const second = await page.context().newPage()
  await second.goto('/o/acme/messages')
  await page.getByRole('button', { name: /^Live/ }).click()
  await expect(page.getByRole('button', { name: /^Paused/ })).toBeVisible()
  await machine('alice-mbp').run(['send', 'Bob', 'three', '--from', 'Carol', '--wait=injected'])
  const arrived = (at: Page) => at.getByRole('link', { name: /Carol.*Bob/ })
  await expect(arrived(second)).toBeVisible()
  await second.close()
  await expect(arrived(page)).toBeHidden()
  await page.getByRole('button', { name: /^Paused/ }).click()
  await expect(arrived(page)).toBeVisible()
})

test('the network is a table that sorts and opens by keyboard, and what happens shows by itself', async ({
  controlPlane,
  machine,
}) => {
  await page.keyboard.press('g')
  await page.keyboard.press('n')
  await expect(page).toHaveURL(/\/o\/acme\/network$/)
  await expect(page.getByText('Waiting for a message between two machines')).toBeVisible()
  const seeded = machines.filter(({ name }) => name === 'bob-mbp' || name === 'carol-lt')
  const between = links.filter(
    ({ from, to }) => seeded.some((m) => m.name === from) && seeded.some((m) => m.name === to),
  )
  await seedNetwork(controlPlane, 'acme', { machines: seeded, links: between })
  // Whatever changes in the organization makes the page look again.
  await machine('alice-mbp').start(['run', 'Dave', '--', 'sh', '-c', 'echo ready; cat >/dev/null']).printed(/ready/)
  const row = page.getByRole('row', { name: /bob-mbp and carol-lt/ })
  await expect(row).toContainText('punched')
  await expect(page.getByText('Waiting for a message between two machines')).toBeHidden()
  await expect(page.getByRole('row', { name: /alice-mbp and control plane/ })).toContainText('Dave')

  await page.getByRole('button', { name: 'Latency' }).press('Enter')
  await expect(page.getByRole('columnheader', { name: 'Latency' })).toHaveAttribute('aria-sort', 'descending')
  await expect(page.getByRole('row').nth(1)).toContainText('carol-lt')
  await row.getByRole('link').press('Enter')
  const panel = page.getByRole('region', { name: 'Link', exact: true })
  await expect(panel).toContainText('both routers let the connection through')
  await expect(page).toHaveURL(/link=/)
  await isAccessible()
  await page.keyboard.press('Escape')
  await expect(panel).toBeHidden()
  await page.getByRole('region', { name: 'Picture of the network' }).getByText('carol-lt').click()
  await expect(page.getByRole('region', { name: 'Machine', exact: true })).toContainText('37 ms to the control plane')
  await page.goBack()
  await expect(page.getByRole('region', { name: 'Machine', exact: true })).toBeHidden()
})

test('a small screen has the way to every page in its drawer', async () => {
  await page.setViewportSize({ width: 390, height: 844 })
  await page.getByRole('button', { name: 'Menu', exact: true }).click()
  const drawer = page.getByRole('dialog', { name: 'Menu' })
  await expect(drawer.getByRole('link', { name: /Settings/ })).toBeVisible()
  await isAccessible()
  await drawer.getByRole('link', { name: /Agents/ }).click()
  await expect(page).toHaveURL(/\/o\/acme\/agents$/)
  await expect(drawer).toBeHidden()
  await page.setViewportSize({ width: 1280, height: 800 })
})

test('no page complained on the way', () => {
  expect(problems).toEqual([])
})
