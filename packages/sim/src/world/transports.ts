// The peers' and the clients' transports as thin layers over the virtual network.
import type {
  FrameSink,
  IncomingLink,
  IncomingLinkEvents,
  OutgoingLinkEvents,
  PeerTransport,
} from "@parley/node";
import type { Connection, Network } from "./network.ts";
import type { VirtualProcess } from "./process.ts";

export const PEER_SERVICE = "peer";
export const COPY_SERVICE = "copy";
export const CLIENT_SERVICE = "client";

/** The machine's name in "n1:7001". */
export function machineOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

export function peerTransport(
  network: Network,
  machine: string,
  process: VirtualProcess,
): PeerTransport {
  const dial = (service: string) => (address: string, events: OutgoingLinkEvents) => {
    const target = machineOf(address);
    const link = network.dial(process, machine, target, service, events);
    return {
      send: (frame: Uint8Array) => {
        if (process.alive) network.onSent?.(machine, target, service, frame);
        return link.send(frame);
      },
      close: () => link.close(),
    };
  };
  const listen = (service: string) => (accept: (link: IncomingLink) => IncomingLinkEvents) => {
    network.listen(machine, service, process, (connection) => {
      const events = accept(connection);
      return {
        onOpen: () => {},
        onFrame: (bytes) => events.onFrame(bytes),
        onEnd: () => events.onEnd(),
        onDrain: () => {},
      };
    });
  };
  return {
    dial: dial(PEER_SERVICE),
    listen: listen(PEER_SERVICE),
    dialCopy: dial(COPY_SERVICE),
    listenForCopies: listen(COPY_SERVICE),
  };
}

/** Where a session's frames go. */
export function frameSink(connection: Connection): FrameSink {
  return {
    send: (bytes) => {
      connection.send(bytes);
    },
    backlogBytes: () => connection.backlogBytes(),
    end: () => connection.close(),
  };
}
