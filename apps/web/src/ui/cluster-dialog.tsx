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

function roleOf(node: NodePicture): string {
  if (node.isLeader) return t("cluster.leader");
  return t(node.address === "" ? "cluster.witness" : "cluster.follower");
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
                  className={node.lag > 0 ? "edge behind" : "edge"}
                />
              );
            })}
          {nodes.map((node, at) => {
            const { x, y } = placeOf(at, nodes.length);
            return (
              <g
                key={node.id}
                className={`node ${node.isLeader ? "leader" : ""} ${node.isOurs ? "ours" : ""}`}
              >
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
                <td>{roleOf(node)}</td>
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
