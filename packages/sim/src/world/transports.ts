// The peers' and the clients' transports as thin layers over the virtual network.
import type { FrameSink, OutgoingLinkEvents, PeerTransport } from "@parley/node";
import type { Connection, Network } from "./network.ts";
import type { VirtualProcess } from "./process.ts";

export const PEER_SERVICE = "peer";
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
  return {
    dial(address, events: OutgoingLinkEvents) {
      const target = machineOf(address);
      const link = network.dial(process, machine, target, PEER_SERVICE, events);
      return {
        send: (frame) => {
          if (process.alive) network.onSent?.(machine, target, PEER_SERVICE, frame);
          return link.send(frame);
        },
        close: () => link.close(),
      };
    },
    listen(accept) {
      network.listen(machine, PEER_SERVICE, process, (connection) => {
        const events = accept(connection);
        return {
          onOpen: () => {},
          onFrame: (bytes) => events.onFrame(bytes),
          onEnd: () => events.onEnd(),
          onDrain: () => {},
        };
      });
    },
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
