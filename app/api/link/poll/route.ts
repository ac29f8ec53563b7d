export { postLinkPoll as POST } from '#lib/rest/link.ts'
