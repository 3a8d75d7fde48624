// The fault-tolerant client of a Parley cluster. Carriers and durable outboxes are in entries of
// their own (`@parley/client/grpc`, `@parley/client/file-outbox`), so that a browser loads neither.
export {
  type Account,
  type Attachment,
  type ClusterView,
  type Event,
  type FollowedThread,
  type Invite,
  LIMITS,
  type LoginSession,
  type Message,
  type NodePosition,
  ParleyError,
  type PresenceNews,
  type Reason,
  RegistrationMode,
  type Room,
  type RoomMember,
  RoomRemovalReason,
  RoomRole,
  RoomVisibility,
  type SearchHit,
  type Subject,
  type ThreadSummary,
} from "@parley/protocol";
export { parseSeeds } from "./address-book.ts";
export type { CallName, CallOptions, CallResult } from "./calls.ts";
export {
  afterEvent,
  type CacheContents,
  type CachedRoom,
  type ChatCacheStore,
  followedThread,
  mayNotWrite,
  mentionsAccount,
  newCachedRoom,
  roomOf,
  unreadOf,
} from "./chat-cache.ts";
export { ChatSync, type ChatSyncOptions, type HistoryResult, type RoomList } from "./chat-sync.ts";
export { type ClientOptions, type ClientState, ParleyClient, type Phase } from "./client.ts";
export type { ConnectionState } from "./connection-machine.ts";
export { COMMITTED_KEPT_MAX, Deliveries, type Delivery } from "./deliveries.ts";
export { fileNameOf } from "./file-name.ts";
export { type Health, HealthMonitor } from "./health.ts";
export { invitePath, inviteSecretIn, newSecret, passwordPath, passwordSecretIn } from "./links.ts";
export { MemoryOutbox } from "./memory-outbox.ts";
export type { Observable } from "./observable.ts";
export type { OutboxNews, OutboxPeerEvents, OutboxPeers } from "./outbox-peers.ts";
export { platformClock, platformRandom } from "./platform.ts";
export type {
  Carrier,
  CarrierEvents,
  CarrierLink,
  Clock,
  LinkEnd,
  OutboxFailure,
  OutboxFile,
  OutboxItem,
  OutboxStore,
  OutboxWithdrawal,
  Random,
  Timer,
  Trouble,
} from "./ports.ts";
export { type Presence, Presences } from "./presences.ts";
export { type Reader, RoomReaders } from "./room-readers.ts";
export { type SearchFields, type SnippetPart, snippetOf } from "./search.ts";
export type {
  CancelOutcome,
  OutboxBounds,
  OutboxChange,
  QueuedSend,
  SendOptions,
  SendResult,
} from "./sends.ts";
export { type SubscribeOptions, Subscription, type SubscriptionItem } from "./subscription.ts";
export type { TypingNews } from "./typing-signals.ts";
export { type RoomTypist, Typists, typingText } from "./typists.ts";
