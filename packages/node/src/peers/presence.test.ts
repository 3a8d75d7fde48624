import { expect, test } from "vitest";
import { Presence } from "./presence.ts";

function world() {
  const presence = new Presence();
  const changed: number[] = [];
  presence.onChanged((accountId) => changed.push(accountId));
  const take = (peerId: number, online: number[], offline: number[] = [], full = false) =>
    presence.take(peerId, { full, onlineAccountIds: online, offlineAccountIds: offline });
  /** Who may have changed since the last call. */
  const changes = () => changed.splice(0).toSorted((one, other) => one - other);
  return { presence, take, changes };
}

test("whoever is on any node is online, and whoever comes or goes anywhere is told of", () => {
  const { presence, take, changes } = world();
  presence.setLocal(1, true);
  presence.setLocal(1, true);
  take(2, [1, 5]);
  expect(changes()).toEqual([1, 1, 5]);
  presence.setLocal(1, false);
  expect([1, 5, 6].map((id) => presence.isOnline(id))).toEqual([true, true, false]);
  take(2, [], [1]);
  expect(presence.isOnline(1)).toBe(false);
  expect(changes()).toEqual([1, 1]);
});

test("a full report, and the end of a node, take those along that are not in it any more", () => {
  const { presence, take, changes } = world();
  take(2, [1, 2, 3], [], true);
  changes();
  take(2, [3, 4], [], true);
  expect([1, 2, 3, 4].map((id) => presence.isOnline(id))).toEqual([false, false, true, true]);
  expect(new Set(changes())).toEqual(new Set([1, 2, 3, 4]));
  presence.forget(2);
  expect(changes()).toEqual([3, 4]);
  expect(presence.isOnline(3)).toBe(false);
  presence.forget(2);
  expect(changes()).toEqual([]);
});
