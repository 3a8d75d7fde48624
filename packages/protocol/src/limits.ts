// Every bound on what comes from outside (P11). Lengths of text are in bytes of UTF-8.

/** Version of the session and peer protocols; a hello with another one is refused. */
export const PROTOCOL_VERSION = 1;
export const LIMITS = {
  usernameBytesMax: 64,
  displayNameBytesMax: 128,
  passwordBytesMin: 8,
  passwordBytesMax: 1024,
  roomNameBytesMax: 128,
  topicBytesMax: 1024,
  deviceBytesMax: 128,
  bodyBytesMax: 16_384,
  clientMessageIdBytesMax: 64,
  fileBytesMax: 8 * 1024 * 1024,
  /** Of one Upload. */
  fileChunkBytesMax: 64 * 1024,
  /** Of the small picture that goes with a file. */
  filePreviewBytesMax: 24 * 1024,
  /** Of one Download. */
  downloadBytesMax: 256 * 1024,
  fileNameBytesMax: 255,
  filesPerMessageMax: 8,
  /** Of all files of one account that a message names or will name; each counts as a whole piece at least, so this bounds their number too. */
  fileBytesPerAccountMax: 256 * 1024 * 1024,
  /** Of all files there are. */
  fileBytesInAllMax: 8 * 1024 * 1024 * 1024,
  /** Files of one account that no message names yet. */
  unsentFilesPerAccountMax: 20,
  /** After it a file that no message names is forgotten. */
  unsentFileTtlMs: 24 * 60 * 60 * 1000,
  patternBytesMax: 128,
  pageTokenBytesMax: 256,
  deleteSeqsMax: 100,
  /** Accounts that one message mentions by name. */
  mentionsMax: 50,
  /** In a larger room, `@room` is for its admins and owners. */
  roomMentionMembersMax: 50,
  /** Threads that an account follows, in all rooms together: what counting its unread messages costs. */
  threadsFollowedMax: 1_000,
  /** Accounts that a message shows of those who replied in its thread. */
  threadParticipantsShownMax: 3,
  pinsPerRoomMax: 50,
  pinsPageMax: 50,
  pinsPageDefault: 50,
  emojiBytesMax: 32,
  /** Different emoji on one message. */
  emojiPerMessageMax: 20,
  /** Accounts times emoji on one message. */
  reactionsPerMessageMax: 2_000,
  /** Accounts that a message names for each emoji; the others are counted. */
  reactionAccountsShownMax: 50,
  accountsPageMax: 200,
  accountsPageDefault: 50,
  membersPageMax: 200,
  membersPageDefault: 50,
  roomsPageMax: 1_000,
  roomsPageDefault: 1_000,
  historyPageMax: 200,
  historyPageDefault: 50,
  searchQueryBytesMax: 512,
  /** Words, phrases and filters of one query. */
  searchTermsMax: 16,
  /** Words of one query that are only the beginnings of words. */
  searchPrefixesMax: 2,
  searchPageMax: 50,
  searchPageDefault: 20,
  /** Parts of a message that a hit points out. */
  searchRangesMax: 64,
  /** Searches of one account that are under way on one node. */
  searchesPerAccountMax: 2,
  /** Characters of base64url in the secret of a link: the fewest hold 16 random bytes. */
  secretCharactersMin: 22,
  secretCharactersMax: 86,
  blockedPerAccountMax: 500,
  /** How long a member may be forbidden to write, unless until that is lifted. */
  muteMsMax: 365 * 24 * 60 * 60 * 1000,
  passwordLinkTtlMsMax: 7 * 24 * 60 * 60 * 1000,
  passwordLinkTtlMsDefault: 24 * 60 * 60 * 1000,
  invitesPerAccountMax: 50,
  invitesPerRoomMax: 100,
  inviteTtlMsMax: 365 * 24 * 60 * 60 * 1000,
  inviteUsesMax: 100_000,
  roomsPerAccountMax: 5_000,
  membersPerRoomMax: 50_000,
  loginSessionsPerAccountMax: 50,
  rememberedRequestsPerAccountMax: 1_000,
  /** How long a request id is remembered, in milliseconds of replicated time. */
  requestIdTtlMs: 24 * 60 * 60 * 1000,
  tokenTtlMs: 30 * 24 * 60 * 60 * 1000,
  /** A client's frame and a unary request. */
  clientFrameBytesMax: 1024 * 1024,
  /** Tags, lengths and numbers in one of them: a thousand requests to delete a hundred messages each fit. */
  clientFramePartsMax: 128 * 1024,
  requestsPerFrameMax: 1_000,
  unansweredRequestsPerSessionMax: 4_096,
  /** A node's frame to a client. */
  serverFrameBytesMax: 4 * 1024 * 1024,
  peerFrameBytesMax: 8 * 1024 * 1024,
  peerFramePartsMax: 1024 * 1024,
  /** What may wait for a slow subscriber before it is disconnected with its cursor. */
  sessionBacklogBytesMax: 4 * 1024 * 1024,
  requestTimeoutMsMax: 60_000,
  requestTimeoutMsDefault: 10_000,
  /** Signals that an account types: of one room no closer than this, of any rooms no closer than that. */
  typingGapMsMin: 2_000,
  typingElsewhereGapMsMin: 500,
  /** It has ended when nothing was said of it for so long: the loss of one signal does not show. */
  typingEndsMs: 6_500,
  /** Who types in a room at a time; further ones are not told of. */
  typistsPerRoomMax: 8,
  /** In a larger room nobody is told who types. */
  typingMembersMax: 1_000,
  /** In a larger room nobody is told how far others have read. */
  receiptMembersMax: 50,
  /** Between two tellings of one room's read positions. */
  receiptsGapMs: 1_000,
  /** Accounts whose presence one session hears of. */
  watchedAccountsMax: 200,
  /** How long a read waits for min_revision at the most, unless its deadline is shorter. */
  behindWaitMsMax: 1_000,
} as const;

/** What a client's frame or unary request may cost to decode. */
export const CLIENT_FRAME_BOUNDS = {
  bytesMax: LIMITS.clientFrameBytesMax,
  partsMax: LIMITS.clientFramePartsMax,
} as const;
