export { postAck as POST } from '#lib/rest/messages.ts'
