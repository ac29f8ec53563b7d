import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chromium } from '@playwright/test'

const known = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

/**
 * The browser for end-to-end tests: CHROMIUM_PATH, Playwright's own, one of this computer, or one installed now (by apt as
 * root, else by Playwright). Undefined when there is no way; `noChromium` says what to do.
 */
export function findChromium(say: (line: string) => void): string | undefined {
  const found = present()
  if (found) return found
  say('No Chromium found; installing one …')
  const commands =
    process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
      ? [
          ['apt-get', 'update'],
          ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium'],
        ]
      : [[process.execPath, 'node_modules/@playwright/test/cli.js', 'install', 'chromium']]
  for (const [command, ...args] of commands) spawnSync(command as string, args, { stdio: 'ignore' })
  return present()
}

export const noChromium =
  'There is no Chromium and none could be installed: install one (apt-get install chromium, or npx playwright install chromium), or set CHROMIUM_PATH to it.'

function present(): string | undefined {
  const wanted = process.env.CHROMIUM_PATH
  if (wanted) return existsSync(wanted) ? wanted : undefined
  return [chromium.executablePath(), ...known].find((file) => existsSync(file))
}
