// The page. Whoever reads on: `chat/` is what it knows (no React), `ui/` is what it shows.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { probeKeeping } from "./chat/saved.ts";
import { direction, locale } from "./text/locale.ts";
import { loadProblemTexts } from "./text/problem-text.ts";
import { App } from "./ui/app.tsx";
import { PageBoundary } from "./ui/boundary.tsx";
import "./styles.css";

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no #root");
probeKeeping();
Object.assign(document.documentElement, { lang: locale, dir: direction });
createRoot(root).render(
  <StrictMode>
    <PageBoundary>
      <App />
    </PageBoundary>
  </StrictMode>,
);

void loadProblemTexts();

// Only where the browser has workers: on plain http:// beyond loopback it does not.
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js", { type: "module" }).catch((cause: unknown) => {
    console.warn("The page can't be reloaded while its node is down:", cause);
  });
}
