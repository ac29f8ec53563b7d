/** Where everything in the home folder is. Pure and light: the SDK and every command load it. */
import { join } from 'node:path'

export type HomePaths = {
  home: string
  config: string
  identity: string
  /** X25519 keys to which this machine's messages are sealed. */
  seal: string
  /** Ids of machines that have shown such keys. */
  sealing: string
  /** The local socket: in the home, or in `runtime` when the home's path is too long for a socket; a named pipe on Windows. */
  socket: string
  /** Set when the socket is not in the home: the private folder that must exist and be this user's. */
  runtime: string | undefined
  db: string
  /** The index of the history's words, made from `db`. */
  search: string
  log: string
  pid: string
  /** Held for the daemon's life by an operating system lock that ends with its process. */
  lock: string
  /** The port on which it takes direct links. */
  peerPort: string
  /** Folder of agents' tokens, one 0600 file each. */
  agents: string
}

/** `sun_path` holds 104 bytes on macOS and the BSDs and 108 on Linux, with the closing zero. */
const MAX_SOCKET_PATH_BYTES = 103

/** The paths of this home. `home` must be absolute, as readEnvironment gives it. */
export function homePaths(home: string): HomePaths {
  const { socket, runtime } = socketOf(home)
  return {
    home,
    config: join(home, 'config.json'),
    identity: join(home, 'identity.key'),
    seal: join(home, 'seal.key'),
    sealing: join(home, 'sealing.json'),
    socket,
    runtime,
    db: join(home, 'relay.db'),
    search: join(home, 'search.db'),
    log: join(home, 'daemon.log'),
    pid: join(home, 'daemon.pid'),
    lock: join(home, 'daemon.lock'),
    peerPort: join(home, 'peer-port'),
    agents: join(home, 'agents'),
  }
}

function socketOf(home: string): { socket: string; runtime: string | undefined } {
  // Not imported: hashing costs a cold command 7 ms, and only long paths need it.
  const short = () =>
    process.getBuiltinModule('node:crypto').createHash('sha256').update(home).digest('hex').slice(0, 20)
  if (process.platform === 'win32') return { socket: `\\\\.\\pipe\\agent-relay-${short()}`, runtime: undefined }
  const inHome = join(home, 'relay.sock')
  if (Buffer.byteLength(inHome) <= MAX_SOCKET_PATH_BYTES) return { socket: inHome, runtime: undefined }
  // Not XDG_RUNTIME_DIR or TMPDIR: cron, su and a desktop shell of one user disagree on them and would miss each other.
  const runtime = `/tmp/agent-relay-${process.getuid?.() ?? 0}`
  return { socket: join(runtime, `${short()}.sock`), runtime }
}
