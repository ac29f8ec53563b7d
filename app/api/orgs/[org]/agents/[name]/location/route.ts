export { getAgentLocation as GET } from '#lib/rest/agents.ts'
