// The checker of witnesses is shown to fail; that nothing fails it in a healthy world is what the seeds show.
import { ServerFrame } from "@parley/protocol";
import { expect, test } from "vitest";
import { WitnessServesNoChat } from "../src/checkers/witnesses.ts";
import { optionsOf } from "../src/options.ts";
import type { Server } from "../src/server.ts";

const server = (name: string, isWitness: boolean) =>
  ({ name, isWitness, refusedChat: () => {} }) as unknown as Server;
const frame = (fields: Parameters<typeof ServerFrame.fromPartial>[0]) =>
  ServerFrame.encode(ServerFrame.fromPartial(fields)).finish();

function judge(from: string, bytes: Uint8Array): readonly string[] {
  const found: string[] = [];
  const servers = [server("n1", false), server("n5", true)];
  const checker = new WitnessServesNoChat(servers, ({ detail }) => found.push(detail));
  checker.onDelivered(from, bytes);
  return found;
}

test("P6: a witness that gives a client anything of the chat is found out, a data node may", () => {
  const history = { id: 1, result: { $case: "history", value: { lastSeq: 3 } } } as const;
  const refusal = { id: 1, result: { $case: "error", value: { reason: "WITNESS" } } } as const;
  expect(judge("n5", frame({ replies: [history] }))).toEqual([
    "the witness n5 gave history to a client",
  ]);
  expect(judge("n5", frame({ events: [{ revision: 9 }] }))).toHaveLength(1);
  expect(judge("n5", frame({ welcome: { account: { id: 7 } } }))).toHaveLength(1);
  expect(judge("n5", frame({ replies: [refusal] }))).toEqual([]);
  expect(judge("n5", frame({ goAway: { reason: "WITNESS" } }))).toEqual([]);
  expect(judge("n1", frame({ replies: [history] }))).toEqual([]);
});

test("some of the seeds of every run have witnesses, and then no machines to grow by", () => {
  const seeds = Array.from({ length: 200 }, (_, at) => optionsOf(at + 1));
  const withWitnesses = seeds.filter(({ witnesses }) => witnesses > 0);
  expect(withWitnesses.length).toBeGreaterThanOrEqual(10);
  for (const { nodes, spares, witnesses } of withWitnesses) {
    expect([nodes, spares, witnesses]).toEqual([5, 0, 2]);
  }
});
