// The connection as a pure state machine: a total table of state × event, checked by the compiler.
// It holds no address, timer or socket; what is to be done comes out as data, and connection.ts does
// it. Read this file first.
//
//   idle ─start→ backoff ─due→ dialing ─opened→ greeting ─welcome→ online
//                   ↑_______________lost, timeout, …_________________│
//   online ─silence→ probing        a ping must be answered
//   online ─unanswered→ hedging     a second node, the rival, is dialled beside the first
//   hedging ─rival-welcome→ racing  both have what is unanswered; the first to answer stays
//
// Events of links that were closed are filtered out before the table sees them.

export const STATES = [
  "idle",
  "backoff",
  "dialing",
  "greeting",
  "online",
  "probing",
  "hedging",
  "racing",
  "closed",
] as const;
export type ConnectionState = (typeof STATES)[number];

export const EVENTS = [
  /** The application starts the client. */
  "start",
  /** The chosen candidate's time has come. */
  "due",
  /** The transport to the dialled node is up. */
  "opened",
  /** The first node has welcomed the session. */
  "welcome",
  /** The link to the first node ended, was refused, or carried garbage. */
  "lost",
  /** The first node sends the client away. */
  "go-away",
  /** The first node refuses the token, or has not learned of it yet. */
  "auth-rejected",
  /** The timer of the state fired: dial, greeting or probe took too long. */
  "timeout",
  /** A frame came from the first node. */
  "heard",
  /** Nothing came from the first node for a while. */
  "silence",
  /** A request is unanswered for too long, or another node would serve better. */
  "unanswered",
  /** Nothing is overdue any more. */
  "settled",
  /** The second node has welcomed the session. */
  "rival-welcome",
  /** The second node answered first, or proved to be the better one. */
  "rival-won",
  /** The second node could not be reached, ended, or proved to be no better. */
  "rival-lost",
  /** The known nodes changed. */
  "addresses-changed",
  /** The application closes the client. */
  "stop",
] as const;
export type ConnectionEvent = (typeof EVENTS)[number];

export type ConnectionEffect =
  /** Choose the node to dial next, and raise `due` when it may be dialled. */
  | "choose"
  /** Dial the chosen node and queue the hello. */
  | "dial"
  /** Arm the state's one timer: the time to open, to be welcomed, to answer a ping. */
  | "arm-dial"
  | "arm-greet"
  | "arm-probe"
  | "disarm"
  | "ping"
  /** Close the link to the first node. */
  | "close"
  /** Remember that the first node failed: it is dialled later than others. */
  | "penalise"
  /** Dial another node beside the first. */
  | "dial-rival"
  | "close-rival"
  /** Send what is unanswered to the rival as well. */
  | "offer-rival"
  /** The rival takes the first node's place, whose link is closed. */
  | "promote"
  /** Tell the layers above that the session serves, or no longer does. */
  | "notify-online"
  | "notify-offline"
  | "notify-closed";

export interface Transition {
  readonly to: ConnectionState;
  readonly effects: readonly ConnectionEffect[];
}

function go(to: ConnectionState, ...effects: ConnectionEffect[]): Transition {
  return { to, effects };
}

type Row = Readonly<Record<ConnectionEvent, Transition>>;

/** The row of a state in which nothing matters, to be overridden event by event. */
function stay(state: ConnectionState): Row {
  const same = go(state);
  return {
    start: same,
    due: same,
    opened: same,
    welcome: same,
    lost: same,
    "go-away": same,
    "auth-rejected": same,
    timeout: same,
    heard: same,
    silence: same,
    unanswered: same,
    settled: same,
    "rival-welcome": same,
    "rival-won": same,
    "rival-lost": same,
    "addresses-changed": same,
    stop: same,
  };
}

const RETRY = go("backoff", "disarm", "close", "penalise", "choose");
const DROP = go("backoff", "disarm", "close", "penalise", "notify-offline", "choose");
/** The first node is gone while the rival is still being dialled: wait for the rival instead. */
const FALL_OVER = go("greeting", "disarm", "penalise", "promote", "notify-offline", "arm-greet");
/** The first node is gone and the rival is ready: nothing above notices. */
const SWITCH = go("online", "disarm", "penalise", "promote", "notify-online");

/** What happens in every state on every event. */
export const TRANSITIONS: Readonly<Record<ConnectionState, Row>> = {
  idle: {
    ...stay("idle"),
    start: go("backoff", "choose"),
    stop: go("closed", "notify-closed"),
  },
  backoff: {
    ...stay("backoff"),
    due: go("dialing", "dial", "arm-dial"),
    "addresses-changed": go("backoff", "disarm", "choose"),
    stop: go("closed", "disarm", "notify-closed"),
  },
  dialing: {
    ...stay("dialing"),
    opened: go("greeting", "arm-greet"),
    welcome: go("online", "disarm", "notify-online"),
    lost: RETRY,
    "go-away": RETRY,
    "auth-rejected": RETRY,
    timeout: RETRY,
    stop: go("closed", "disarm", "close", "notify-closed"),
  },
  greeting: {
    ...stay("greeting"),
    welcome: go("online", "disarm", "notify-online"),
    lost: RETRY,
    "go-away": RETRY,
    "auth-rejected": RETRY,
    timeout: RETRY,
    stop: go("closed", "disarm", "close", "notify-closed"),
  },
  online: {
    ...stay("online"),
    lost: DROP,
    "go-away": DROP,
    "auth-rejected": DROP,
    silence: go("probing", "ping", "arm-probe"),
    unanswered: go("hedging", "dial-rival"),
    stop: go("closed", "disarm", "close", "notify-offline", "notify-closed"),
  },
  probing: {
    ...stay("probing"),
    lost: DROP,
    "go-away": DROP,
    "auth-rejected": DROP,
    timeout: DROP,
    heard: go("online", "disarm"),
    // The probe's timer goes on: both ways out of a silent node are tried at once.
    unanswered: go("hedging", "dial-rival"),
    stop: go("closed", "disarm", "close", "notify-offline", "notify-closed"),
  },
  hedging: {
    ...stay("hedging"),
    lost: FALL_OVER,
    "go-away": FALL_OVER,
    "auth-rejected": FALL_OVER,
    timeout: FALL_OVER,
    heard: go("hedging", "disarm"),
    silence: go("hedging", "ping", "arm-probe"),
    settled: go("online", "close-rival"),
    "rival-welcome": go("racing", "offer-rival"),
    "rival-lost": go("online", "close-rival"),
    stop: go("closed", "disarm", "close", "close-rival", "notify-offline", "notify-closed"),
  },
  racing: {
    ...stay("racing"),
    lost: SWITCH,
    "go-away": SWITCH,
    "auth-rejected": SWITCH,
    timeout: SWITCH,
    heard: go("racing", "disarm"),
    silence: go("racing", "ping", "arm-probe"),
    settled: go("online", "close-rival"),
    // The first node is slow, not dead: it is not penalised.
    "rival-won": go("online", "disarm", "promote", "notify-online"),
    "rival-lost": go("online", "close-rival"),
    stop: go("closed", "disarm", "close", "close-rival", "notify-offline", "notify-closed"),
  },
  closed: stay("closed"),
};

/** The next state and what to do, for every pair. Pure and total. */
export function transition(state: ConnectionState, event: ConnectionEvent): Transition {
  return TRANSITIONS[state][event];
}
