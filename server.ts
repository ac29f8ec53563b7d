/** The control plane's composition root: Next and sockets on one port, and an orderly end. Started by scripts/start.ts. */
import { createServer, type IncomingMessage } from 'node:http'
import { createSignInLink } from '#lib/auth/local-link.ts'
import { signInOptions } from '#lib/auth/sign-in-options.ts'
import { getDb } from '#lib/db/client.ts'
import { env } from '#lib/env.ts'
import { refuseUnknown } from '#lib/http/api-door.ts'
import { closable } from '#lib/http/close-server.ts'
import { listen } from '#lib/http/listen.ts'
import { servePackage } from '#lib/http/package-file.ts'
import { serveReflection } from '#lib/http/reflection.ts'
import { enterRequest } from '#lib/http/request-context.ts'
import { setSecurityHeaders } from '#lib/http/security-headers.ts'
import { startJobs } from '#lib/jobs/index.ts'
import { getLog } from '#lib/log.ts'
import { OperatorError } from '#lib/operator-error.ts'
import { paths } from '#lib/paths.ts'
import { onceTold } from '#lib/process/shutdown.ts'
import { processState } from '#lib/process/state.ts'
import { startRealtime } from '#lib/realtime/index.ts'

const dev = process.argv.includes('--dev')

async function main(): Promise<void> {
  processState()
  const { HOST, PORT, PUBLIC_URL, AUTH_SECRET } = env()
  if (!AUTH_SECRET)
    throw new OperatorError(
      'NO_AUTH_SECRET',
      'AUTH_SECRET is not set: run npm start, which makes one and keeps it, or set it to 32 random characters or more.',
    )
  // next-auth reads these two itself, and it is loaded with Next.
  process.env.NEXTAUTH_URL = PUBLIC_URL
  process.env.NEXTAUTH_SECRET = AUTH_SECRET
  const log = getLog()

  const isHttps = PUBLIC_URL.startsWith('https:')
  const http = createServer()
  const closeHttp = closable(http)
  const { default: next } = await import('next')
  const app = next({ dev, hostname: HOST, port: PORT, httpServer: http })
  await app.prepare()
  const handle = app.getRequestHandler()

  http.on('request', (request, response) => {
    const pathname = pathOf(request)
    if (isSocketPath(pathname)) return
    enterRequest(request, response, log)
    setSecurityHeaders(response, { isHttps })
    if (refuseUnknown(request, response, pathname)) return
    if (pathname === paths.api.reflect()) serveReflection(request, response)
    else if (pathname === paths.api.package()) void servePackage(request, response)
    else void handle(request, response)
  })
  // Whoever asks for another protocol elsewhere would otherwise hold an open socket for ever.
  http.on('upgrade', (request, socket) => {
    const pathname = pathOf(request)
    if (!isSocketPath(pathname) && !(dev && pathname.startsWith('/_next/'))) socket.destroy()
  })

  const realtime = await startRealtime({ httpServer: http, log })
  const jobs = await startJobs({ log })
  onceTold(log, async () => {
    processState().draining = true
    await realtime.close()
    await Promise.all([closeHttp(), jobs.stop()])
    await app.close()
    await getDb().$disconnect()
  })
  await listen(http, PORT, HOST)
  log.info({ url: PUBLIC_URL, host: HOST, port: PORT, dev }, 'the control plane is ready')
  process.send?.({ ready: PUBLIC_URL })
  await announce(PUBLIC_URL).catch((error: unknown) => log.warn({ err: error }, 'no sign-in link could be made'))
}

/** On stdout, and not in the log: the link signs in whoever has it. */
async function announce(url: string): Promise<void> {
  const link = signInOptions().local ? await createSignInLink(getDb()) : undefined
  const signIn = link ? `Sign in, once and within 15 minutes: ${link.url}\nAnother link: npm run sign-in-link\n` : ''
  console.log(`\nAgent Relay runs at ${url}\n${signIn}Ctrl-C stops everything.\n`)
}

/** Not by `new URL`: that throws on what strangers send, such as `//`. */
const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?', 1)[0] as string

const isSocketPath = (pathname: string): boolean => pathname.startsWith(`${paths.api.socket()}/`)

process.on('uncaughtException', (error) => {
  getLog().fatal({ err: error }, 'a defect ended the process')
  process.exit(1)
})
process.on('unhandledRejection', (reason) => {
  getLog().fatal({ err: reason }, 'a defect ended the process')
  process.exit(1)
})

try {
  await main()
} catch (error) {
  if (error instanceof OperatorError) console.error(error.message)
  else getLog().fatal({ err: error }, 'the control plane could not start')
  process.exit(1)
}
