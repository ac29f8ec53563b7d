export { postDaemonHeartbeat as POST } from '#lib/rest/daemons.ts'
