export { getAgents as GET, postAgent as POST } from '#lib/rest/agents.ts'
