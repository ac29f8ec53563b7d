/** The browser tests' `test`: one control plane for the whole run, machines that are gone afterwards, no silent page errors. */
import { test as base, expect, type Page } from '@playwright/test'
import { type ControlPlane, startControlPlane } from './control-plane.ts'
import { TestMachine } from './machine.ts'

type Worker = { controlPlane: ControlPlane; machine: (name: string) => TestMachine }

export const test = base.extend<object, Worker>({
  controlPlane: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the wanted fixtures from the pattern
    async ({}, use) => {
      const controlPlane = await startControlPlane()
      await use(controlPlane)
      await controlPlane.close()
    },
    { scope: 'worker', timeout: 300_000 },
  ],
  machine: [
    // biome-ignore lint/correctness/noEmptyPattern: as above
    async ({}, use) => {
      const machines = new Map<string, TestMachine>()
      await use((name) => {
        const machine = machines.get(name) ?? new TestMachine(name)
        machines.set(name, machine)
        return machine
      })
      await Promise.all([...machines.values()].map((m) => m.close()))
    },
    { scope: 'worker', timeout: 60_000 },
  ],
})

export { expect }

/** Collects what a page complains about: errors on the console, exceptions, requests to anywhere but here. */
export function watch(page: Page, allowed: string[]): string[] {
  const problems: string[] = []
  page.on('console', (message) => {
    // Chromium itself reports every refusal of ours, such as a slug that is taken; those are tested where they happen.
    const isRefusal = /the server responded with a status of 4\d\d/.test(message.text())
    if (message.type() === 'error' && !isRefusal) problems.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`))
  page.on('request', (request) => {
    const url = request.url()
    if (!/^(data|blob):/.test(url) && !allowed.some((origin) => url.startsWith(origin)))
      problems.push(`foreign: ${url}`)
  })
  return problems
}
