// The SDK in a browser: the same client over a WebSocket. Nothing here or below needs Node.
export * from "../index.ts";
export { probeOnWake } from "./wake.ts";
export {
  SESSION_PATH,
  type WebSocketCarrierOptions,
  webSocketCarrier,
} from "./web-socket-carrier.ts";
