import { handleLocalSignIn } from '#lib/auth/local-sign-in.ts'

export const GET = (request: Request) => handleLocalSignIn(request)

/** Next answers HEAD with GET, and a link checker's HEAD would use the link up. */
export const HEAD = () => new Response(null, { status: 405, headers: { allow: 'GET' } })
