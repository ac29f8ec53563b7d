export { postLinkApprove as POST } from '#lib/rest/link.ts'
