/**
 * Networks of this kernel's own, made for one test and gone with it: network namespaces as hosts, bridges as wires, nftables as
 * home routers. Nothing outside the namespaces is touched, and no packet leaves this computer. A namespace has no name: it lives
 * as long as the process in it that holds it, and that ends when this one does.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'

/** Why no such networks can be made here; undefined when they can. */
export function whyNoLab(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are a part of Linux'
  if (process.getuid?.() !== 0) return 'only root may make network namespaces'
  for (const tool of ['ip', 'nft', 'nsenter', 'unshare', 'sysctl'])
    if (spawnSync(tool, ['-V'], { stdio: 'ignore' }).error !== undefined) return `${tool} is not installed`
  const rule = 'add table ip probe; add chain ip probe out { type nat hook postrouting priority 100 ; }'
  const { status, stderr } = spawnSync('unshare', ['-n', 'nft', rule], { encoding: 'utf8' })
  return status === 0 ? undefined : `no network namespace with translated addresses can be made: ${stderr.trim()}`
}

/** `port-preserving` is what most homes have; `random` gives every connection another port, and cannot be punched. */
export type Translation = 'port-preserving' | 'random'

export type Network = {
  /** Runs a command as a process of this host: put it before the command. */
  prefix(host: string): string[]
  /** A host on this wire. `gateway`: where everything else is. */
  host(name: string, at: { wire: string; address: string; gateway?: string }): void
  /** One more interface of a host, of this name, such as `wg0`. */
  attach(name: string, at: { wire: string; address: string; device: string }): void
  /** A home router: translates what comes from inside, and takes nothing from outside that was not asked for. */
  router(name: string, at: { outside: At; inside: At; translation: Translation }): void
  /** Frames of this host are dropped, at once and in silence; its interfaces stay up. */
  setCut(host: string, isCut: boolean): void
  /** The same between two addresses only, at `host`. */
  setBlocked(host: string, address: string, isBlocked: boolean): void
  /** One way only: this host hears nothing from that address. */
  setDeaf(host: string, address: string, isDeaf: boolean): void
  /** The host loses its network and has another one: another wire, address and gateway. */
  move(host: string, to: { wire: string; address: string; gateway?: string }): void
  close(): void
}
type At = { wire: string; address: string }

/** Addresses are with their prefix length: `192.168.1.10/24`. */
export function openNetwork(): Network {
  const holders = new Map<string, ChildProcess>()
  const wires = new Map<string, string>()
  let ends = 0

  /** The process that holds the namespace of this host. */
  function space(name: string): number {
    const pid = holders.get(name)?.pid
    if (pid === undefined) throw new Error(`there is no host ${name}`)
    return pid
  }

  function hold(name: string): number {
    // It ends with its input, and so with this process, however that ends.
    const holder = spawn('unshare', ['-n', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] })
    holders.set(name, holder)
    const pid = space(name)
    const ours = readlinkSync('/proc/self/ns/net')
    for (const until = Date.now() + 5_000; readlinkSync(`/proc/${pid}/ns/net`) === ours; )
      if (Date.now() > until) throw new Error(`the network namespace of ${name} did not come`)
    return pid
  }

  function wireOf(wire: string): string {
    const known = wires.get(wire)
    if (known !== undefined) return known
    const bridge = `br${wires.size}`
    ip(core, 'link', 'add', bridge, 'type', 'bridge')
    ip(core, 'link', 'set', bridge, 'up')
    wires.set(wire, bridge)
    return bridge
  }

  /** The end on the bridge is named by host and device, so that it is found again. */
  const endOf = new Map<string, string>()
  const bridges = new Map<string, string>()
  const bridgeOf = (end: string): string => bridges.get(end) as string

  function plug(name: string, device: string, { wire, address }: At): void {
    const bridge = wireOf(wire)
    const end = `e${ends++}`
    ip(core, 'link', 'add', end, 'type', 'veth', 'peer', 'name', device, 'netns', String(space(name)))
    ip(core, 'link', 'set', end, 'master', bridge)
    ip(core, 'link', 'set', end, 'up')
    ip(space(name), 'addr', 'add', address, 'dev', device)
    ip(space(name), 'link', 'set', device, 'up')
    endOf.set(`${name} ${device}`, end)
    bridges.set(end, bridge)
  }

  function boot(name: string): void {
    ip(hold(name), 'link', 'set', 'lo', 'up')
    // A duplicate address is not looked for: nobody waits seconds for an address to be used.
    write(space(name), 'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0')
  }

  const core = hold('the wires')
  return {
    prefix: (host) => enter(space(host)),
    host(name, { wire, address, gateway }) {
      boot(name)
      plug(name, 'eth0', { wire, address })
      if (gateway !== undefined) ip(space(name), 'route', 'add', 'default', 'via', gateway)
      nft(space(name), 'add table inet lab', ...['in', 'out'].map(chain))
      nft(space(name), 'add set inet lab away { type ipv4_addr ; }', 'add set inet lab unheard { type ipv4_addr ; }')
      nft(space(name), 'add rule inet lab in ip saddr @unheard drop')
      nft(space(name), 'add rule inet lab in ip saddr @away drop', 'add rule inet lab out ip daddr @away drop')
    },
    attach: (name, { device, ...at }) => plug(name, device, at),
    router(name, { outside, inside, translation }) {
      boot(name)
      plug(name, 'wan', outside)
      plug(name, 'lan', inside)
      write(space(name), 'net.ipv4.ip_forward=1')
      const how = translation === 'random' ? 'masquerade fully-random' : 'masquerade'
      nft(
        space(name),
        'add table ip lab',
        'add chain ip lab post { type nat hook postrouting priority 100 ; }',
        `add rule ip lab post oifname "wan" ${how}`,
        ...['input', 'forward'].flatMap((hook) => [
          `add chain ip lab ${hook} { type filter hook ${hook} priority 0 ; }`,
          `add rule ip lab ${hook} iifname "wan" ct state new drop`,
          `add rule ip lab ${hook} iifname "wan" ct state invalid drop`,
        ]),
      )
    },
    setCut(host, isCut) {
      for (const [key, end] of endOf)
        if (key.startsWith(`${host} `))
          ip(core, 'link', 'set', end, ...(isCut ? ['nomaster'] : ['master', bridgeOf(end)]))
    },
    setBlocked(host, address, isBlocked) {
      nft(space(host), `${isBlocked ? 'add' : 'delete'} element inet lab away { ${address} }`)
    },
    setDeaf(host, address, isDeaf) {
      nft(space(host), `${isDeaf ? 'add' : 'delete'} element inet lab unheard { ${address} }`)
    },
    move(host, { wire, address, gateway }) {
      ip(space(host), 'link', 'del', 'eth0')
      endOf.delete(`${host} eth0`)
      plug(host, 'eth0', { wire, address })
      if (gateway !== undefined) ip(space(host), 'route', 'add', 'default', 'via', gateway)
    },
    close() {
      for (const { stdin } of holders.values()) stdin?.end()
    },
  }
}

const chain = (name: string): string =>
  `add chain inet lab ${name} { type filter hook ${name === 'in' ? 'input' : 'output'} priority 0 ; }`

const enter = (pid: number): string[] => ['nsenter', '-t', String(pid), '-n']

function run(pid: number, ...command: string[]): void {
  const [program, ...args] = [...enter(pid), ...command] as [string, ...string[]]
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

const ip = (pid: number, ...args: string[]): void => run(pid, 'ip', ...args)
const nft = (pid: number, ...rules: string[]): void => run(pid, 'nft', rules.join('; '))
const write = (pid: number, ...settings: string[]): void => run(pid, 'sysctl', '-q', '-e', '-w', ...settings)
