export { deleteAgentByName as DELETE } from '#lib/rest/agents.ts'
