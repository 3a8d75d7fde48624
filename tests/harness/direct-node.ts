// One node alone, over unary gRPC: what this very node says, without the SDK's moving elsewhere.
import { Metadata } from "@grpc/grpc-js";
import { channelSecurity, hostOf, type TlsOptions } from "@parley/client/grpc";
import { HistoryRequest, type HistoryResponse, type Message } from "@parley/protocol";
import { ChatClient } from "@parley/protocol/services";

export class DirectNode {
  readonly #client: ChatClient;
  readonly #metadata = new Metadata();

  constructor(address: string, token: string, tls?: TlsOptions) {
    const { credentials, options } = channelSecurity(hostOf(address), tls);
    this.#client = new ChatClient(address, credentials, options);
    this.#metadata.set("authorization", `Bearer ${token}`);
  }

  history(request: Partial<HistoryRequest>, timeoutMs = 30_000): Promise<HistoryResponse> {
    return new Promise((resolve, reject) => {
      this.#client.history(
        HistoryRequest.fromPartial(request),
        this.#metadata,
        { deadline: Date.now() + timeoutMs },
        (error, response) => (error === null ? resolve(response) : reject(error)),
      );
    });
  }

  /** All messages of a room, ascending, page by page from the newest. */
  async wholeHistory(roomId: number): Promise<Message[]> {
    const pages: Message[][] = [];
    for (;;) {
      const beforeSeq = pages[0]?.[0]?.seq ?? 0;
      const page = await this.history({ roomId, beforeSeq, limit: 200 });
      if (page.messages.length === 0) return pages.flat();
      pages.unshift(page.messages);
      if (page.messages[0]?.seq === 1) return pages.flat();
    }
  }

  close(): void {
    this.#client.close();
  }
}
