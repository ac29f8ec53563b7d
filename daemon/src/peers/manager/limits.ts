/** Every number of the link manager with its reason. Times in ms. */

/** While messages flow: what Tailscale found to be often enough to notice a cut before a person does. */
export const PING_ACTIVE_MS = 3_000
/** Often enough to keep a NAT's entry for TCP (4 min at the very least), rare enough for a laptop's battery. */
export const PING_IDLE_MS = 20_000
/** Traffic within this makes a link active; Tailscale stops its heartbeats after the same. */
export const ACTIVE_MS = 45_000
/** Two pings and half a second without a word: the path is not believed any more, and the relay carries on within 8 s. */
export const DEAD_MS = 6_500
/** A newcomer beside a link that works means that the other end may have lost that: so long it has to answer one ping. */
export const DOUBT_MS = 1_000
/** Nobody said anything: the next message opens a link again by way of the relay, so keeping it is worth nothing. */
export const IDLE_CLOSE_MS = 300_000
/** A step that comes so much later than asked for: this process stood still, and what is silent had no chance to be heard. */
export const LATE_MS = 1_000

/** Happy Eyeballs' delay between two tries (RFC 8305): the better one nearly always wins, and a dead one costs little. */
export const STAGGER_MS = 250
export const DIALS_PER_MACHINE = 8
/** As Syncthing's limit: a machine with hundreds of peers starts without flooding its own router. */
export const DIALS = 64
/** Machines that are looked for at a time; the others are when these are done, or not wanted any more by then. */
export const ROUNDS = 32
/** TCP on one network answers within milliseconds, or after one lost packet in a second. */
export const DIAL_NEAR_MS = 1_500
/** Across the world, with one lost packet; a wrong address must not hold its place for longer. */
export const DIAL_FAR_MS = 4_000
/** A signal and its answer cross the control plane in a fraction of this. */
export const ANSWER_MS = 5_000

/** Looked for again while messages go by relay: people move between networks within minutes. */
export const PROBE_FIRST_MS = 60_000
/** What did not work for an hour works tomorrow at the earliest; a network that changed starts anew anyway. */
export const PROBE_MAX_MS = 600_000
/** The other end asks and this one looks, whatever its own clock says, but within this only HEEDS times: it chooses the addresses. */
export const ASKED_MS = 10_000
/** A question, and two things that it found out a moment later: that its public address is open, that its router opened a port. */
export const HEEDS = 3
/** Answers to one machine within ASKED_MS: a round, its repeat with a punched address and three punches ask for fewer. */
export const ANSWERS = 8

/** Links that lived shorter than this did not carry anything worth the change of paths… */
export const SHORT_MS = 5_000
/** …and after more than these within this time something between the two breaks them: Syncthing's cool-down. */
export const SHORT_LINKS = 3
export const SHORT_WITHIN_MS = 120_000
export const PAUSE_MS = 300_000

/** Of the same kind, a link must be better by both to be worth a change: below it is noise of a network (iroh: 5 ms). */
export const BETTER_MS = 5
export const BETTER_SHARE = 0.1

/** Direct links at a time: each costs pings, a TLS session's memory and, at a NAT, one of its entries. */
export const HOT_LINKS = 64

/** A punch is two connections that meet: with luck at the first try (97.6 % of those that succeed at all, DCUtR). */
export const PUNCHES = 3
/** What the first one left behind in a NAT is gone after this, as iroh waits it. */
export const PUNCH_APART_MS = 5_000
/** How long an address seen from outside is used unseen: a NAT may forget after 30 s. */
export const PUNCHED_FRESH_MS = 27_000

/** Ids of signals that came: one that is played again is not heard twice. Far more than are under way. */
export const SIGNAL_IDS = 4_096
/** Candidates of another machine are tried without asking it for as long as it probably has them. */
export const CANDIDATES_FRESH_MS = 600_000
/** Nothing was said for so long: what was learned of the way to it is not worth its memory. */
export const FORGET_MS = 3_600_000
/** A ping unanswered for so long is missed: five round trips across the world. */
export const SUSPECT_MS = 1_500
/** Places for dials and rounds are given again after this; those who wait look that often. */
export const QUEUE_LOOK_MS = 250
