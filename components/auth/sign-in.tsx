'use client'
import { signIn } from 'next-auth/react'
import { useState } from 'react'
import { Mark } from '../marks/mark.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Command } from '../ui/copy.tsx'

/** Why the last try signed nobody in: next-auth's reasons and those of the one-time link. */
const reasons: Record<string, string> = {
  LinkUsed: 'This sign-in link was already used: each works once. Print a new one.',
  LinkExpired: 'This sign-in link is older than 15 minutes. Print a new one.',
  LinkUnknown: 'This is not a sign-in link of this install. Print a new one and copy all of it.',
  LinkHost: 'Sign-in links work only on this computer, under the address that the terminal prints.',
  LinkOff: 'Sign-in links are off here, because other computers can reach this install. Sign in with GitHub.',
  AccessDenied: 'GitHub says that access was denied. Sign in again and allow it.',
  OAuthAccountNotLinked: 'Somebody here has this email address with another GitHub account. Sign in with that one.',
  OAuthCallback: 'GitHub’s answer could not be read. Try again; if it stays so, check client id and secret.',
  OAuthSignin: 'GitHub could not be reached. Try again; if it stays so, check GITHUB_URL.',
  SessionRequired: 'Your session has ended. Sign in again.',
  Configuration: 'Sign-in is not set up correctly: the control plane’s log has the reason.',
}

type Props = { github: boolean; local: boolean; callbackUrl: string; error: string | null }

/** The ways in that this install has. */
export function SignIn({ github, local, callbackUrl, error }: Props) {
  const [isLeaving, setLeaving] = useState(false)
  return (
    <div className="grid w-full max-w-[400px] gap-5">
      <div className="grid justify-items-start gap-3">
        <Mark size={32} />
        <div>
          <h1 className="text-2xl font-semibold tracking-[-0.025em]">Sign in to Agent Relay</h1>
          <p className="mt-1 text-fg-2">Your AI coding agents message each other, whichever machine they run on.</p>
        </div>
      </div>
      {error !== null && (
        <p role="alert" className="rounded-2 bg-fail-soft px-3 py-2 text-fail">
          {reasons[error] ?? `Signing in failed (${error}). Try again.`}
        </p>
      )}
      {github && (
        <Button
          variant="primary"
          size="xl"
          className="w-full"
          aria-disabled={isLeaving}
          onClick={() => {
            setLeaving(true)
            void signIn('github', { callbackUrl })
          }}
        >
          <GitHubMark />
          {isLeaving ? 'Going to GitHub' : 'Continue with GitHub'}
        </Button>
      )}
      {local && (
        <Card className="grid gap-2 p-3">
          <h2 className="font-semibold">
            {github ? 'Or use a link from the terminal' : 'Use the link in your terminal'}
          </h2>
          <p className="text-fg-2">
            <code className="mono">npm start</code> printed a sign-in link that works once, within 15 minutes, on this
            computer. In the folder of Agent Relay, this prints a new one:
          </p>
          <Command text="npm run sign-in-link" />
        </Card>
      )}
    </div>
  )
}

function GitHubMark() {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" fill="currentColor" aria-hidden>
      <path d="M8 0a8 8 0 0 0-2.53 15.59c.4.07.55-.17.55-.38l-.01-1.49c-2.01.37-2.53-.49-2.69-.94-.09-.23-.48-.94-.82-1.13-.28-.15-.68-.52-.01-.53.63-.01 1.08.58 1.23.82.72 1.21 1.87.87 2.33.66.07-.52.28-.87.51-1.07-1.78-.2-3.64-.89-3.64-3.95 0-.87.31-1.59.82-2.15-.08-.2-.36-1.02.08-2.12 0 0 .67-.21 2.2.82a7.6 7.6 0 0 1 4 0c1.53-1.04 2.2-.82 2.2-.82.44 1.1.16 1.92.08 2.12.51.56.82 1.27.82 2.15 0 3.07-1.87 3.75-3.65 3.95.29.25.54.73.54 1.48l-.01 2.2c0 .21.15.46.55.38A8 8 0 0 0 8 0" />
    </svg>
  )
}
