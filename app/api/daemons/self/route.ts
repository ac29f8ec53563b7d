export { deleteDaemonSelf as DELETE } from '#lib/rest/daemons.ts'
