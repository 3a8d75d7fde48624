import type { ChatDatabase } from "./database.ts";
import { InvariantViolation } from "./invariant.ts";
import type { ChatAnswer, ChatQuery } from "./types.ts";

export class ChatReader {
  constructor(_db: ChatDatabase) {}
  read(_query: ChatQuery): ChatAnswer {
    throw new InvariantViolation("not here yet");
  }
}
