// The SDK in a browser: the same client over a WebSocket. Nothing here or below needs Node.
export * from "../index.ts";
export { type DurabilityListener, FallbackOutbox } from "./fallback-outbox.ts";
export { IndexedDbCache, type IndexedDbCacheOptions } from "./indexed-db-cache.ts";
export {
  deleteOutbox,
  IndexedDbOutbox,
  type Leftover,
  leftovers,
  outboxName,
} from "./indexed-db-outbox.ts";
export { type TabPeersOptions, tabPeers } from "./tab-peers.ts";
export { probeOnWake } from "./wake.ts";
export {
  SESSION_PATH,
  type WebSocketCarrierOptions,
  webSocketCarrier,
} from "./web-socket-carrier.ts";
