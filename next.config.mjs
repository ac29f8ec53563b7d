/** @type {import('next').NextConfig} */
const config = {
  reactStrictMode: true,
  poweredByHeader: false,
  devIndicators: { position: 'bottom-right' },
  serverExternalPackages: ['@prisma/client', '@prisma/adapter-pg', 'pg', 'pino', 'pg-boss', 'socket.io'],
  transpilePackages: ['@agent-relay/protocol'],
  // The development server prints whole URLs, and these two carry a sign-in token and an OAuth code.
  logging: { incomingRequests: { ignore: [/^\/sign-in\/local/, /^\/api\/auth\//] } },
  typescript: { ignoreBuildErrors: true }, // `npm test` checks types once, over the whole house
}

export default config
