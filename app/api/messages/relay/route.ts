export { postRelay as POST } from '#lib/rest/messages.ts'
