// A crowd in a process of its own, which can be put on another machine: told what to do in lines of JSON, it answers each with one.
import { createInterface } from "node:readline";
import { Crowd, type CrowdOptions } from "./crowd.ts";
import { DirectNode } from "./direct-node.ts";

export type CrowdCommand =
  | { readonly do: "gather"; readonly options: CrowdOptions }
  /** Answered when so many more sends are acknowledged. */
  | { readonly do: "progress"; readonly count: number }
  /** Answered with everything that is known, once all sends are acknowledged and all subscribers had the time to hear of them. */
  | { readonly do: "finish" }
  /** The whole history of each room, as each of these nodes has it. */
  | { readonly do: "read"; readonly addresses: readonly string[] };

const HEARD_MS_MAX = 60_000;

let crowd: Crowd | undefined;
let options: CrowdOptions | undefined;

async function carryOut(command: CrowdCommand): Promise<unknown> {
  if (command.do === "gather") {
    options = command.options;
    crowd = await Crowd.gather(options);
    return { token: crowd.token, roomIds: crowd.roomIds };
  }
  if (crowd === undefined) throw new Error("nobody has gathered");
  switch (command.do) {
    case "progress": {
      const until = crowd.acknowledged.length + command.count;
      while (crowd.acknowledged.length < until) await pause();
      return { acknowledged: crowd.acknowledged.length };
    }
    case "finish":
      await crowd.finishWriting();
      // Who has not heard by then is what the oracle is there to say.
      for (const endMs = Date.now() + HEARD_MS_MAX; !crowd.heard && Date.now() < endMs; ) {
        await pause();
      }
      return {
        acknowledged: crowd.acknowledged,
        events: crowd.events,
        errors: crowd.errors.map(String),
      };
    case "read": {
      const histories = [];
      for (const address of command.addresses) {
        const node = new DirectNode(address, crowd.token, options?.tls);
        for (const roomId of crowd.roomIds) {
          histories.push({ address, roomId, messages: await node.wholeHistory(roomId) });
        }
        node.close();
      }
      return histories;
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await carryOut(JSON.parse(line) as CrowdCommand).then(
    (result) => ({ result }),
    (error: unknown) => ({ error: String(error) }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await crowd?.close();
process.exit(0);
