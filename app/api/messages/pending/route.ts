export { getPending as GET } from '#lib/rest/messages.ts'
