// A rendering error takes along the part of the page that it is in, and nothing around it. React tells the console of it.
import { Component, type ReactNode } from "react";
import { t } from "../text/t.ts";
import { Modal } from "./modal.tsx";

interface BoundaryProps {
  readonly children: ReactNode;
  /** What is shown when the children can't be; `again` renders them anew. Left out = words, and a button for that. */
  readonly instead?: (again: () => void) => ReactNode;
}

interface BoundaryState {
  readonly hasFailed: boolean;
}

/** With another `key` its children are rendered again. */
export class Boundary extends Component<BoundaryProps, BoundaryState> {
  override state: BoundaryState = { hasFailed: false };

  static getDerivedStateFromError(): BoundaryState {
    return { hasFailed: true };
  }

  readonly #again = () => this.setState({ hasFailed: false });

  override render(): ReactNode {
    const { children, instead = (again) => <WentWrong onAgain={again} /> } = this.props;
    return this.state.hasFailed ? instead(this.#again) : children;
  }
}

interface WentWrongProps {
  readonly onAgain: () => void;
  /** Other ways out. */
  readonly children?: ReactNode;
}

export function WentWrong({ onAgain, children }: WentWrongProps) {
  return (
    <div className="went-wrong" role="alert">
      <p>{t("wrong.part")}</p>
      <button type="button" className="primary" onClick={onAgain}>
        {t("app.tryAgain")}
      </button>{" "}
      {children}
    </div>
  );
}

interface DialogBoundaryProps {
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** Around a dialog: its place is taken by one that can be closed. */
export function DialogBoundary({ onClose, children }: DialogBoundaryProps) {
  return (
    <Boundary
      instead={(again) => (
        <Modal title={t("wrong.title")} onClose={onClose}>
          <WentWrong onAgain={again} />
        </Modal>
      )}
    >
      {children}
    </Boundary>
  );
}

/** Around everything. */
export function PageBoundary({ children }: { readonly children: ReactNode }) {
  return (
    <Boundary
      instead={() => (
        <main className="sign-in">
          <div role="alert">
            <h1>{t("wrong.title")}</h1>
            <button type="button" className="primary" onClick={() => location.reload()}>
              {t("wrong.reload")}
            </button>
          </div>
        </main>
      )}
    >
      {children}
    </Boundary>
  );
}
