// What is said to a server that was removed, and by it.
import { ParleyError } from "@parley/protocol";

/** To it; whoever is told so serves no more. */
export function removedError(): ParleyError {
  return new ParleyError("REMOVED", "this server has been removed from the cluster");
}

/** By it; not with the reason REMOVED, or it would take the others along. */
export function outOfTheCluster(): ParleyError {
  return new ParleyError(
    "NOT_READY",
    "this server has been removed from its cluster: to add it again, empty its data directory first",
  );
}
