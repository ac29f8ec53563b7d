export { postDaemonRegister as POST } from '#lib/rest/daemons.ts'
