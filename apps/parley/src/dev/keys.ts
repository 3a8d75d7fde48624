// Single keys of the terminal, for breaking a dev cluster by hand.

export interface KeyActions {
  select(id: number): void;
  kill(): void;
  togglePause(): void;
  toggleCut(): void;
  restart(): void;
  status(): void;
  help(): void;
  quit(): void;
}

const CTRL_C = "\u0003";

export function handleKey(key: string, actions: KeyActions): void {
  if (/^[1-9]$/.test(key)) {
    actions.select(Number(key));
    return;
  }
  switch (key) {
    case "k":
      actions.kill();
      break;
    case "p":
      actions.togglePause();
      break;
    case "c":
      actions.toggleCut();
      break;
    case "r":
      actions.restart();
      break;
    case "s":
      actions.status();
      break;
    case "h":
    case "?":
      actions.help();
      break;
    case "q":
    case CTRL_C:
      actions.quit();
      break;
  }
}

/** Listens until the returned function is called, which gives the terminal back as it was. */
export function listenToKeys(input: NodeJS.ReadStream, actions: KeyActions): () => void {
  const onData = (text: string) => {
    for (const key of text) handleKey(key, actions);
  };
  input.setRawMode(true);
  input.setEncoding("utf8");
  input.on("data", onData);
  input.resume();
  return () => {
    input.removeListener("data", onData);
    input.setRawMode(false);
    input.pause();
  };
}
