// Why there is no connection, in the page's words.
import type { Trouble } from "@parley/client/browser";
import { t } from "../text/t.ts";

export function troubleText({ kind, address }: Trouble): string {
  switch (kind) {
    case "closed":
      return t("trouble.closed", { address });
    case "refused":
      return t("trouble.refused", { address });
    case "timeout":
      return t("trouble.timeout", { address });
    case "unauthenticated":
      return t("trouble.unauthenticated", { address });
    case "behind":
      return t("trouble.behind", { address });
    case "malformed":
      return t("trouble.malformed", { address });
  }
}
