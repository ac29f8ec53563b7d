/**
 * A person and agents talk: an agent of a real daemon writes to @alice, she answers by keyboard, and the page says how far her
 * words came. Channels, long histories, hostile text and small screens too. axe looks at every state.
 */
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import type { Running } from './support/machine.ts'
import { expect, test, watch } from './support/test.ts'

test.describe.configure({ mode: 'serial' })
test.setTimeout(90_000)

let page: Page
let problems: string[]
const agents = new Map<string, Running>()

test.beforeAll(async ({ browser, controlPlane, machine }) => {
  const context = await browser.newContext({ baseURL: controlPlane.url, reducedMotion: 'reduce' })
  page = await context.newPage()
  problems = watch(page, [controlPlane.url, controlPlane.github])
  await page.goto('/new')
  await page.getByRole('button', { name: 'Continue with GitHub' }).click()
  await page.getByRole('button', { name: /alice/i }).first().click()
  await page.getByLabel('Name').fill('Acme')
  await page.getByRole('button', { name: 'Create the organization' }).click()
  await expect(page).toHaveURL(/\/o\/acme$/)
  for (const name of ['alice-mbp', 'bob-mbp']) {
    const link = machine(name).start(['link', '--url', controlPlane.url, '--name', name, '--no-open'])
    const [, url] = await link.printed(/open (http\S+)/)
    await page.goto(url as string)
    await page.getByRole('radio', { name: /Acme/ }).check()
    await page.getByRole('button', { name: 'Link to Acme' }).click()
    await expect(page.getByText(`${name} is linked to Acme`)).toBeVisible()
    await link.finished()
    await machine(name).run(['up'])
  }
})

test.afterAll(async () => {
  await page.context().close()
})

async function isAccessible(): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect.soft(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([])
}

const conversations = () => page.getByRole('list', { name: /^Conversations/ }).getByRole('listitem')
const messages = () => page.getByRole('feed').getByRole('article')
const composer = () => page.getByRole('textbox', { name: /^Message to/ })
const sidebar = () => page.getByRole('navigation', { name: 'Main' })

test('an empty inbox says how agents reach this person', async () => {
  await page.goto('/o/acme')
  await page.keyboard.press('g')
  await page.keyboard.press('i')
  await expect(page).toHaveURL(/\/o\/acme\/inbox$/)
  await expect(page.getByRole('heading', { name: 'Nobody wrote to you yet' })).toBeVisible()
  await expect(page.getByText('agent-relay send @alice')).toBeVisible()
  await isAccessible()
})

test('an agent writes to @alice, and it appears live with an unread mark', async ({ machine }) => {
  const bob = machine('bob-mbp')
  const running = bob.start(['run', 'Bob', '--', 'sh', '-c', 'echo ready; cat'])
  await running.printed(/ready/)
  agents.set('Bob', running)
  await bob.run(['send', '@alice', 'Shall I deploy?', '--from', 'Bob', '--wait=accepted'])
  await expect(conversations()).toHaveCount(1)
  await expect(conversations()).toContainText('Shall I deploy?')
  await expect(conversations().getByRole('link')).toHaveAccessibleName(/Bob.*1 unread message/)
  await expect(sidebar().getByRole('link', { name: /Inbox.*1 unread/ })).toBeVisible()
})

test('it is read when the person reads it, not before, and the agent is told', async ({ machine }) => {
  const bob = machine('bob-mbp')
  const asked = bob.start([
    'send',
    '@alice',
    'The window closes at ten.',
    '--from',
    'Bob',
    '--wait=seen',
    '--timeout',
    '30s',
  ])
  await expect(conversations()).toContainText('The window closes at ten.')
  expect(asked.child.exitCode).toBeNull()
  await page.keyboard.press('j')
  await expect(page).toHaveURL(/with=agent%3Abob/)
  await expect(messages()).toHaveCount(2)
  await expect(page.getByText('2 new messages')).toBeVisible()
  expect((await asked.finished()).code).toBe(0)
  await expect(sidebar().getByRole('link', { name: 'Inbox', exact: true })).toBeVisible()
  await isAccessible()
})

test('the person answers by keyboard, the agent gets it, and the receipt turns in the page', async () => {
  await page.keyboard.press('Enter')
  await expect(composer()).toBeFocused()
  await page.keyboard.type('Yes, at nine.')
  await page.keyboard.press('Enter')
  await page.keyboard.type('Tell me when it is out.')
  await page.keyboard.press('Control+Enter')
  await expect(composer()).toHaveValue('')
  await expect(composer()).toBeFocused()
  await expect(messages().last()).toContainText('Yes, at nine.\nTell me when it is out.', { useInnerText: true })
  await agents.get('Bob')?.printed(/from="@alice"[\s\S]*Yes, at nine\.\s+Tell me when it is out\./)
  await expect(messages().last()).toContainText('injected')
})

test('R answers one message, and the answer says which', async () => {
  await page.keyboard.press('Escape')
  await expect(messages().last()).toBeFocused()
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('ArrowUp')
  await expect(messages().first()).toBeFocused()
  await page.keyboard.press('r')
  await expect(composer()).toBeFocused()
  await expect(page.getByText('Replying to Bob')).toBeVisible()
  await isAccessible()
  await page.keyboard.press('Escape')
  await expect(page.getByText('Replying to Bob')).toBeHidden()
  await expect(composer()).toBeFocused()
  await page.keyboard.press('Escape')
  await page.keyboard.press('r')
  await page.keyboard.type('Do.')
  await page.keyboard.press('Control+Enter')
  await expect(
    messages()
      .last()
      .getByRole('button', { name: /Bob Shall I deploy/ }),
  ).toBeVisible()
  await agents.get('Bob')?.printed(/reply-to="[\s\S]*Do\./)
  await expect(messages().last()).toContainText('injected')
})

test('a draft is kept for its conversation, and what is too large is refused before it is sent', async () => {
  await composer().fill('half a thou')
  await page.reload()
  await expect(composer()).toHaveValue('half a thou')
  await composer().fill('x'.repeat(262_145))
  const send = page.getByRole('button', { name: /^Send/ })
  await expect(send).toHaveAttribute('aria-disabled', 'true')
  await expect(page.getByText('1 B too much: a message has at most 256 KiB')).toBeVisible()
  await composer().fill('')
  await expect(send).toHaveAttribute('title', 'Write something first')
  await composer().blur()
})

test('hostile text is inert: nothing unseen, nothing that turns text around, links to the web only', async ({
  machine,
}) => {
  const bob = machine('bob-mbp')
  const body = 'a\u202ecod.exe \u200b \u001b[2J <img src=x onerror=alert(1)> javascript:alert(1) https://a.example/x.'
  await bob.run(['send', '@alice', body, '--from', 'Bob', '--wait=accepted'])
  const last = messages().last()
  await expect(last).toContainText('U+202E')
  await expect(last).toContainText('U+200B')
  await expect(last).toContainText('ESC')
  await expect(last).toContainText('<img src=x onerror=alert(1)> javascript:alert(1)')
  await expect(last.locator('img')).toHaveCount(0)
  const links = last.getByRole('link')
  await expect(links).toHaveCount(1)
  await expect(links).toHaveAttribute('href', 'https://a.example/x')
  await expect(links).toHaveAttribute('rel', 'noopener noreferrer')
  await isAccessible()
})

test('to an agent that is away the page says so; it gets the message when it is back', async ({ machine }) => {
  const bob = machine('bob-mbp')
  await bob.run(['down'])
  await expect(page.getByText('Bob is offline: the control plane keeps what you send')).toBeVisible()
  await composer().fill('when you are back')
  await page.keyboard.press('Control+Enter')
  await expect(messages().last()).toContainText('stored')
  await isAccessible()
  await bob.run(['up'])
  const running = bob.start(['run', 'Bob', '--', 'sh', '-c', 'echo ready; cat'])
  agents.set('Bob', running)
  await running.printed(/when you are back/)
  await expect(messages().last()).toContainText('injected')
})

test('what got no answer stays in the field, and is sent again from there', async () => {
  const other = await page.context().newPage()
  await other.goto('/o/acme/inbox?with=agent:bob')
  await other.route('**/api/trpc/inbox.send*', (route) => route.abort())
  const field = other.getByRole('textbox', { name: 'Message to Bob' })
  // The page can be read before it listens: what is typed until then is not in the field.
  await expect(async () => {
    await field.fill('once only')
    await expect(other.getByRole('button', { name: /^Send/ })).toBeEnabled({ timeout: 500 })
  }).toPass()
  await field.press('Control+Enter')
  await expect(other.getByRole('form', { name: 'Write to Bob' }).getByRole('alert')).toContainText('did not answer')
  await expect(field).toHaveValue('once only')
  await other.unroute('**/api/trpc/inbox.send*')
  await other.getByRole('button', { name: /^Send again/ }).click()
  await expect(other.getByRole('article').filter({ hasText: 'once only' })).toHaveCount(1)
  await expect(field).toHaveValue('')
  await other.close()
})

test('a long history loads upwards, and nothing moves while one reads in it', async ({ machine }) => {
  const alice = machine('alice-mbp')
  const lines = 'for i in $(seq 1 130); do echo "->relay:@alice line $i of many"; done; echo done; cat'
  const talker = alice.start(['run', 'Talker', '--', 'sh', '-c', lines])
  await talker.printed(/done/)
  await page.goto('/o/acme/inbox')
  await expect(conversations().first()).toContainText('line 130 of many', { timeout: 30_000 })
  await conversations().first().getByRole('link').click()
  await expect(page).toHaveURL(/with=agent%3Atalker/)
  await expect(messages().filter({ hasText: 'line 130 of many' })).toBeVisible()
  // All of them are unread: the first of those that are loaded is at the top, and the end is not said to be read.
  await expect(page.getByRole('button', { name: /Newest message/ })).toBeVisible()
  await expect(sidebar().getByRole('link', { name: /Inbox.*unread/ })).toBeVisible()

  const box = page.locator('section[aria-label="Messages with Talker"]')
  await expect(async () => {
    await box.evaluate((element) => element.scrollBy(0, -4000))
    await expect(page.getByText('This is where the conversation with Talker begins.')).toBeInViewport({ timeout: 500 })
  }).toPass({ timeout: 20_000 })
  const first = messages().filter({ hasText: /line 1 of many/ })
  await expect(first).toBeInViewport()
  const before = await first.boundingBox()
  await alice.run(['send', '@alice', 'one more', '--from', 'Talker', '--wait=accepted'])
  await expect(page.getByRole('button', { name: '1 new message' })).toBeVisible()
  expect(await first.boundingBox()).toEqual(before)
  await isAccessible()
  await page.getByRole('button', { name: '1 new message' }).click()
  await expect(messages().last()).toContainText('one more')
  await expect(messages().last()).toBeInViewport()
  await expect(sidebar().getByRole('link', { name: 'Inbox', exact: true })).toBeVisible()
})

test('the first agent that joins makes a channel, which appears where the page waits for it', async ({ machine }) => {
  await page.goto('/o/acme/channels')
  await expect(page.getByRole('heading', { name: 'No channel yet' })).toBeVisible()
  await isAccessible()
  await machine('bob-mbp').run(['join', '#ops', '--as', 'Bob'])
  const row = page.getByRole('row', { name: /#ops/ })
  await expect(row).toContainText('Bob')
  await row.getByRole('link').click()
  await expect(page).toHaveURL(/channel=ops/)
  const panel = page.getByRole('region', { name: 'Channel' })
  await panel.getByRole('button', { name: 'Add an agent' }).click()
  await page.keyboard.type('talk')
  await expect(page.getByRole('option', { name: /Talker/ })).toBeVisible()
  await isAccessible()
  await page.keyboard.press('Enter')
  await expect(panel.getByRole('region', { name: 'Agents' })).toContainText('Talker')
  await panel.getByRole('button', { name: 'Change the topic' }).click()
  await page.getByLabel('What it is for').fill('Deploys and alerts')
  await page.keyboard.press('Enter')
  await expect(panel).toContainText('Deploys and alerts')
  await panel.getByRole('button', { name: 'Join', exact: true }).click()
  await expect(panel.getByRole('region', { name: 'People' })).toContainText('@alice')
  await expect(panel.getByRole('button', { name: 'Leave', exact: true })).toBeVisible()
  await isAccessible()
  await panel.getByRole('link', { name: 'Open the conversation' }).click()
  await expect(page).toHaveURL(/with=channel%3Aops/)
})

test('what a person says in a channel reaches both agents, and what an agent says reaches the person', async ({
  machine,
}) => {
  const talker = machine('alice-mbp').start(['run', 'Carol', '--', 'sh', '-c', 'echo ready; cat'])
  await talker.printed(/ready/)
  await machine('alice-mbp').run(['join', '#ops', '--as', 'Carol'])
  await composer().fill('Deploy at nine, all.')
  await page.keyboard.press('Control+Enter')
  await agents.get('Bob')?.printed(/via="#ops"[\s\S]*Deploy at nine, all\./)
  await talker.printed(/via="#ops"[\s\S]*Deploy at nine, all\./)
  await expect(messages().last()).toContainText('3/3')
  await machine('bob-mbp').run(['send', '#ops', 'Understood.', '--from', 'Bob', '--wait=accepted'])
  await expect(messages().last()).toContainText('Understood.')
  await talker.printed(/Understood\./)
  await page.getByTitle('How far it came to each member').click()
  await expect(page.getByRole('listitem').filter({ hasText: /^Carol/ })).toContainText('injected')
  await isAccessible()
})

test('the palette, a row of agents and a message lead to a conversation', async () => {
  await page.goto('/o/acme')
  await page.keyboard.press('Control+k')
  await expect(page.getByRole('combobox')).toBeFocused()
  await page.keyboard.type('write to carol')
  await expect(page.getByRole('option').first()).toHaveText('Write to Carol')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/inbox\?with=agent%3Acarol/)
  await expect(page.getByRole('heading', { name: 'Nothing was said with Carol yet' })).toBeVisible()
  await isAccessible()
  await page.goto('/o/acme/agents')
  await page.getByRole('link', { name: 'Write to Bob' }).click()
  await expect(page).toHaveURL(/inbox\?with=agent%3Abob/)
  await page.goto('/o/acme/messages?q=Carol')
  await page
    .getByRole('link', { name: /@alice.*Carol/ })
    .first()
    .click()
  await expect(page.getByRole('region', { name: 'Message', exact: true })).toContainText('#ops')
  await isAccessible()
  await page.getByRole('link', { name: 'Write to Carol' }).click()
  await expect(page).toHaveURL(/inbox\?with=agent%3Acarol/)
  await expect(composer()).toBeVisible()
  await page.keyboard.press('n')
  await expect(page.getByRole('combobox')).toBeFocused()
  await page.keyboard.type('#op')
  await expect(page.getByRole('option')).toHaveCount(1)
  await isAccessible()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/with=channel%3Aops/)
  await expect(composer()).toBeFocused()
})

test('on a small screen the list leads to a conversation and back', async () => {
  await page.setViewportSize({ width: 390, height: 844 })
  await page.goto('/o/acme/inbox')
  await conversations().filter({ hasText: 'Bob' }).first().getByRole('link').click()
  await expect(conversations().first()).toBeHidden()
  await expect(composer()).toBeVisible()
  await isAccessible()
  await page.getByRole('button', { name: 'Back to the inbox' }).click()
  await expect(conversations().first()).toBeVisible()
  await page.setViewportSize({ width: 1280, height: 800 })
})

test('a channel is deleted after its consequences were said', async () => {
  await page.goto('/o/acme/channels?channel=ops')
  await page.getByRole('button', { name: 'Delete the channel' }).click()
  const dialog = page.getByRole('dialog', { name: 'Delete #ops' })
  await expect(dialog).toContainText('Its history is deleted for everybody')
  await isAccessible()
  await dialog.getByRole('button', { name: 'Delete the channel' }).click()
  await expect(page.getByRole('heading', { name: 'No channel yet' })).toBeVisible()
  await page.getByRole('button', { name: 'Create a channel' }).click()
  await page.getByLabel('Name').fill('no spaces here')
  await page.keyboard.press('Enter')
  await expect(page.locator('form').getByRole('alert')).toContainText('letters, digits')
  await isAccessible()
  await page.getByLabel('Name').fill('#release')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('region', { name: 'Channel' })).toContainText('Made by @alice')
})

test('what cannot arrive any more says why, and nothing more can be sent there', async ({ machine }) => {
  await page.goto('/o/acme/inbox?with=agent:bob')
  await machine('bob-mbp').run(['down'])
  await expect(page.getByText('Bob is offline')).toBeVisible()
  await composer().fill('too late')
  await page.keyboard.press('Control+Enter')
  await expect(messages().last()).toContainText('stored')
  await page.goto('/o/acme/machines')
  await page.getByRole('button', { name: 'Revoke bob-mbp' }).click()
  await page.getByRole('button', { name: 'Revoke the machine' }).click()
  await expect(page.getByRole('row', { name: /bob-mbp/ })).toContainText('revoked')
  await page.goto('/o/acme/inbox?with=agent:bob')
  await expect(messages().last()).toContainText('Bob did not get it. The machine was revoked.')
  await expect(messages().last().getByRole('button', { name: 'Send again' })).toHaveCount(0)
  await expect(page.getByText('Bob is gone: its machine was revoked.')).toBeVisible()
  await isAccessible()
})

test('no page complained on the way', () => {
  expect(problems).toEqual([])
})
