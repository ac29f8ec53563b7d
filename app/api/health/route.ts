import { checkHealth } from '#lib/process/health.ts'

export const dynamic = 'force-dynamic'

export const GET = () => Response.json(checkHealth(), { headers: { 'cache-control': 'no-store' } })
