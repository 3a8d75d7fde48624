import { outboxStoreContract } from "../test/outbox-store-contract.ts";
import { MemoryOutbox } from "./memory-outbox.ts";

let kept = new MemoryOutbox();
outboxStoreContract("memory", (fresh) => {
  if (fresh) kept = new MemoryOutbox();
  return kept;
});
