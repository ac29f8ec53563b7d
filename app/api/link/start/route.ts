export { postLinkStart as POST } from '#lib/rest/link.ts'
