// What the tests of copies under kill -9 share.
import type { Membership } from "@parley/node/ports";

export const THREE: Membership = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  servers: [],
  nextRaftId: 4,
  lastChangeId: "",
};
