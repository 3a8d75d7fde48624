// Shows what the supervisor says, four times a second, and tells it what to do.
const POLL_MS = 250;
/** Of a node as it is: what a button does, what it is called, and whether it can be done. */
const BUTTONS = [
  ({ state }) => ["kill", "Kill -9", state !== "dead"],
  ({ state }) =>
    state === "paused" ? ["resume", "Resume", true] : ["pause", "Pause", state === "running"],
  () => ["restart", "Restart", true],
  ({ state, cut_off: cut }) =>
    cut === "none"
      ? ["cut-off", "Cut off", state === "running"]
      : ["heal", "Heal", state === "running"],
  ({ state, cut_off: cut }) => ["isolate", "Isolate", state === "running" && cut !== "all"],
];
const CUTS = { peers: "cut off from the other nodes", all: "cut off from nodes and clients" };

const $ = (id) => document.getElementById(id);
const nodes = new Map();

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

async function act(what) {
  const response = await fetch("act", { method: "POST", body: JSON.stringify(what) });
  const reply = await response.json();
  show(reply.ok ? "" : reply.error);
}

function show(problem) {
  $("problem").textContent = problem;
  $("problem").hidden = problem === "";
}

function cardOf(id) {
  const known = nodes.get(id);
  if (known !== undefined) return known;
  const item = element("li");
  const role = element("span");
  item.append(element("strong", `node ${id}`), role, element("br"));
  const buttons = BUTTONS.map(() => {
    const button = element("button");
    button.type = "button";
    button.addEventListener("click", () => void act({ cmd: button.dataset.cmd, node: id }));
    item.append(button);
    return button;
  });
  $("nodes").append(item);
  const card = { item, role, buttons };
  nodes.set(id, card);
  return card;
}

function draw({ leader, term, nodes: all, checker }) {
  const running = all.filter(({ state }) => state === "running");
  const inTouch = running.filter(({ cut_off: cut }) => cut === "none").length;
  const cutOff = running.length - inTouch;
  const majority =
    inTouch > all.length / 2
      ? "a majority: the chat goes on"
      : "no majority: the chat is read-only, and what is sent waits";
  $("summary").textContent =
    `${running.length} of ${all.length} nodes run${cutOff > 0 ? `, ${cutOff} of them cut off` : ""}, ${majority}. ` +
    (leader === 0 ? "Nobody leads." : `Node ${leader} leads, term ${term}.`);
  for (const node of all) {
    const { id, state, cut_off: cut } = node;
    const { item, role, buttons } = cardOf(id);
    item.dataset.state = state === "running" && cut !== "none" ? "cut-off" : state;
    role.textContent =
      state !== "running" ? state : (CUTS[cut] ?? (id === leader ? "leads" : "follows"));
    BUTTONS.forEach((of, at) => {
      const [cmd, label, isPossible] = of(node);
      const button = buttons[at];
      button.disabled = !isPossible;
      if (button.dataset.cmd === cmd) return;
      button.dataset.cmd = cmd;
      button.textContent = label;
      button.setAttribute("aria-label", `${label} node ${id}`);
    });
  }
  $("checker").textContent = checker.isRunning ? "Stop the checker" : "Start the checker";
  $("checker").dataset.to = checker.isRunning ? "stop" : "start";
  if (checker.problem !== "") show(checker.problem);
  const counts = [
    ["sent", checker.sent],
    ["acknowledged", checker.acknowledged],
    ["waiting", checker.sent - checker.acknowledged],
    ["lost", checker.lost, checker.lost > 0],
    ["doubled", checker.doubled, checker.doubled > 0],
    ["longest wait, ms", checker.longestWaitMs],
  ];
  $("counts").replaceChildren(
    ...counts.map(([name, value, isBad]) => {
      const pair = element("div");
      const number = element("dd", value.toLocaleString());
      number.dataset.count = name;
      if (isBad) number.className = "bad";
      pair.append(element("dt", name), number);
      return pair;
    }),
  );
}

$("checker").addEventListener("click", () => void act({ checker: $("checker").dataset.to }));

async function poll() {
  try {
    const response = await fetch("state");
    draw(await response.json());
  } catch {
    $("summary").textContent = "The development cluster has stopped.";
  }
  setTimeout(poll, POLL_MS);
}
void poll();
