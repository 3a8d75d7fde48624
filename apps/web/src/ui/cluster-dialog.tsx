// What no other chat shows: the servers, who leads, how far each disk is, and what happened lately.
import type { NodePicture } from "../chat/cluster-watch.ts";
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
  if (node.isLeader) return "leader";
  return node.address === "" ? "witness or learner" : "follower";
}

export function ClusterDialog({ onClose }: { readonly onClose: () => void }) {
  const { nodes, leaderId, term, hasQuorum, happenings } = useCluster();
  const health = useHealth();
  const leaderAt = nodes.findIndex(({ id }) => id === leaderId);
  return (
    <Modal title="The cluster" onClose={onClose} className="wide cluster">
      <p role="status">
        {healthText(health)} · term {term} ·{" "}
        {hasQuorum ? "a majority is in touch" : "no majority is in touch"}
      </p>
      {"problem" in health && health.problem !== "" && (
        <p className="notice">The last attempt: {health.problem}</p>
      )}
      <div className="picture">
        <svg
          viewBox={`0 0 ${SIZE} ${SIZE}`}
          role="img"
          aria-label={`${nodes.length} nodes; ${leaderId === 0 ? "no leader" : `node ${leaderId} leads`}`}
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
              <th scope="col">Node</th>
              <th scope="col">Role</th>
              <th scope="col">On disk up to</th>
              <th scope="col">Behind</th>
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.id}>
                <td>
                  {node.id}
                  {node.isOurs && <small> (yours)</small>}
                </td>
                <td>{roleOf(node)}</td>
                <td>{node.position ?? "not told"}</td>
                <td>{node.position === undefined ? "" : node.lag}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <h3>Since this page was opened</h3>
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
