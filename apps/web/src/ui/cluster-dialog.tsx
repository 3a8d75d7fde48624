// What no other chat shows: the servers, who leads, how far each disk is, and what happened lately.

import type { NodePicture } from "../chat/cluster-watch.ts";
import { troubleText } from "../chat/trouble.ts";
import { t } from "../text/t.ts";
import { useCluster, useHealth } from "./chat-context.ts";
import { clockTime } from "./format.ts";
import { healthText } from "./health-pill.tsx";
import { Modal } from "./modal.tsx";

const SIZE = 260;
const RADIUS = 95;

function placeOf(at: number, count: number): { x: number; y: number } {
  const angle = (at / count) * 2 * Math.PI - Math.PI / 2;
  return { x: SIZE / 2 + RADIUS * Math.cos(angle), y: SIZE / 2 + RADIUS * Math.sin(angle) };
}

function edgeClass({ isHeard, lag }: NodePicture): string {
  return `edge ${isHeard ? "" : "gone"} ${lag > 0 ? "behind" : ""}`;
}

function nodeClass({ isHeard, isLeader, isOurs }: NodePicture): string {
  return `node ${isHeard ? "" : "gone"} ${isLeader ? "leader" : ""} ${isOurs ? "ours" : ""}`;
}

/** `hasLeader`: who has none follows nobody. */
function roleOf({ isLeader, role }: NodePicture, hasLeader: boolean): string {
  if (isLeader) return t("cluster.leader");
  switch (role) {
    case "voter":
      return t(hasLeader ? "cluster.follower" : "cluster.voter");
    case "learner":
      return t("cluster.learner");
    case "witness":
      return t("cluster.witness");
    case "unknown":
      return t("cluster.unknown");
  }
}

/** What it is, as far as it does that now. */
function standingOf(node: NodePicture, hasLeader: boolean): string {
  const role = roleOf(node, hasLeader);
  if (!node.isHeard) {
    // A voter that is not heard of follows nobody.
    return node.role === "voter" ? t("cluster.notHeard") : t("cluster.roleNotHeard", { role });
  }
  return node.isUnreached ? t("cluster.roleUnreached", { role }) : role;
}

export function ClusterDialog({ onClose }: { readonly onClose: () => void }) {
  const { nodes, leaderId, term, hasQuorum, happenings } = useCluster();
  const health = useHealth();
  const leaderAt = nodes.findIndex(({ id }) => id === leaderId);
  return (
    <Modal title={t("cluster.title")} onClose={onClose} className="wide cluster">
      <p role="status">
        {t(hasQuorum ? "cluster.quorum" : "cluster.noQuorum", {
          health: healthText(health),
          term: `${term}`,
        })}
      </p>
      {"trouble" in health && health.trouble !== undefined && (
        <p className="notice">
          {t("cluster.lastAttempt", { problem: troubleText(health.trouble) })}
        </p>
      )}
      <div className="picture">
        <svg
          viewBox={`0 0 ${SIZE} ${SIZE}`}
          role="img"
          aria-label={
            leaderId === 0
              ? t("cluster.pictureNoLeader", { count: nodes.length })
              : t("cluster.picture", { count: nodes.length, node: `${leaderId}` })
          }
        >
          {leaderAt >= 0 &&
            nodes.map((node, at) => {
              if (at === leaderAt) return null;
              const [from, to] = [placeOf(leaderAt, nodes.length), placeOf(at, nodes.length)];
              return (
                <line
                  key={node.id}
                  x1={from.x}
                  y1={from.y}
                  x2={to.x}
                  y2={to.y}
                  className={edgeClass(node)}
                />
              );
            })}
          {nodes.map((node, at) => {
            const { x, y } = placeOf(at, nodes.length);
            return (
              <g key={node.id} className={nodeClass(node)}>
                <circle cx={x} cy={y} r={node.isLeader ? 27 : 22} />
                <text x={x} y={y + 5}>
                  {node.id}
                </text>
              </g>
            );
          })}
        </svg>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("cluster.node")}</th>
              <th scope="col">{t("cluster.role")}</th>
              <th scope="col">{t("cluster.onDisk")}</th>
              <th scope="col">{t("cluster.behind")}</th>
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.id}>
                <td>
                  {node.id}
                  {node.isOurs && <small> {t("cluster.yours")}</small>}
                </td>
                <td>{standingOf(node, leaderId !== 0)}</td>
                <td>{node.position ?? t("cluster.notTold")}</td>
                <td>{node.position === undefined ? "" : node.lag}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <h3>{t("cluster.happened")}</h3>
      <ol className="happenings">
        {happenings.toReversed().map(({ key, atMs, text }) => (
          <li key={key}>
            <time>{clockTime(atMs)}</time> {text}
          </li>
        ))}
      </ol>
    </Modal>
  );
}
