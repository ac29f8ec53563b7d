import { handleTrpc } from '#lib/trpc/handler.ts'

export { handleTrpc as GET, handleTrpc as POST }
