// Asks once who listens at an address, before anything is said about it in the log.
import { ParleyError, PeerFrame, type PeerHello } from "@parley/protocol";
import type { Clock, PeerTransport } from "../ports.ts";
import { GREETING_MS_MAX } from "./peer-link.ts";

/** Resolves with the hello of whoever listens there; rejects with a ParleyError: SERVER_UNREACHABLE, or its refusal. */
export function whoListensAt(
  address: string,
  hello: PeerHello,
  ports: { readonly transport: PeerTransport; readonly clock: Clock },
): Promise<PeerHello> {
  return new Promise((resolve, reject) => {
    const unreachable = (detail: string) => {
      finish(() =>
        reject(
          new ParleyError("SERVER_UNREACHABLE", `no server answers at ${address} (${detail})`),
        ),
      );
    };
    let finished = false;
    const finish = (settle: () => void) => {
      if (finished) return;
      finished = true;
      timer.cancel();
      link.close();
      settle();
    };
    const timer = ports.clock.after(GREETING_MS_MAX, () => unreachable("no answer in time"));
    const link = ports.transport.dial(
      address,
      {
        onOpen: () => {
          if (!finished) link.send(PeerFrame.encode(PeerFrame.fromPartial({ hello })).finish());
        },
        onFrame: (bytes) => {
          let frame: PeerFrame;
          try {
            frame = PeerFrame.decode(bytes);
          } catch {
            unreachable("what listens there does not speak Parley's peer protocol");
            return;
          }
          const { error, hello: answer } = frame;
          if (error !== undefined) finish(() => reject(ParleyError.fromWire(error)));
          else if (answer !== undefined) finish(() => resolve(answer));
        },
        onEnd: (end, detail) => unreachable(detail === "" ? end : `${end}: ${detail}`),
        onDrain: () => {},
      },
      hello.toNodeId,
    );
  });
}
