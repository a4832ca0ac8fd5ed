// A panel as a component: its outermost element, and what all panels do.

import type { AnyModel, Host } from "@anywidget/types";
import { useSignalEffect } from "@preact/signals";
import type { ComponentType } from "preact";
import { useContext, useEffect, useLayoutEffect, useMemo } from "preact/hooks";
import { PanelContext } from "../runtime/context";
import { classes } from "../runtime/dom";
import { suppressNotebookShortcuts } from "../runtime/keys";
import { Panel } from "../runtime/panel";
import { themeAttribute } from "../runtime/theme";
import { ErrorBoundary } from "./error_boundary";
import { SandboxNote } from "./sandbox_note";

const TOOLBARS = 100; // pixels that the tools of a front end may cover
const SCROLL_DELAY = 150; // milliseconds, in which a panel that was hidden is laid out
const SCROLL_AGE = 5; // seconds after which a request dates from before the page was reloaded

/** A kind of panel. */
export interface PanelKind {
  /** The class names of the outermost element. */
  className: string;
  component: ComponentType;
  /** Whether the panel consists of others; it has a frame of its own. */
  isComposite?: boolean;
}

interface RootProps {
  kind: PanelKind;
  panel: Panel;
  isOutermost: boolean;
}

/** Show the panel of a model. */
export function PanelView({ kind, model, host }: { kind: PanelKind; model: AnyModel; host: Host }) {
  const isOutermost = useContext(PanelContext) === null;
  const panel = useMemo(() => new Panel(model, host), [model, host]);
  // A layout effect: a passive one is skipped for a panel that is removed at once.
  useLayoutEffect(() => () => panel.end(), [panel]);
  return (
    <PanelContext.Provider value={panel}>
      <Root kind={kind} panel={panel} isOutermost={isOutermost} />
    </PanelContext.Provider>
  );
}

/** Said once by the outermost panel; a dashboard has a dialog instead. */
function KernelLost({ framed, sandbox }: { framed: boolean | undefined; sandbox: boolean }) {
  return (
    <p class={classes("wonda-kernel-lost", framed && "wonda-framed")} role="status">
      The kernel was restarted or has ended. Run this cell again to bring the panel back
      {sandbox ? "." : "; what was still running is offered there."}
    </p>
  );
}

function Root({ kind, panel, isOutermost }: RootProps) {
  useEffect(() => panel.synchronize(), [panel]);
  useEffect(() => suppressNotebookShortcuts(panel.root), [panel]);
  useSignalEffect(() => {
    if (Date.now() / 1000 - panel.get("scroll_requested_at") > SCROLL_AGE) return;
    setTimeout(() => {
      if (!panel.isMounted) return;
      // "nearest" would leave the beginning of a tall panel out of sight.
      const isCut = panel.root.getBoundingClientRect().top < TOOLBARS;
      panel.root.scrollIntoView({ block: isCut ? "start" : "nearest", behavior: "smooth" });
    }, SCROLL_DELAY);
  });
  const Content = kind.component;
  const hasBanner = panel.get("sandbox") && panel.get("banner");
  return (
    <section
      ref={panel.mounted}
      class={classes(
        !kind.isComposite && "wonda",
        kind.className,
        isOutermost && !panel.isConnected.value && "wonda-disconnected",
        ...(kind.isComposite ? panel.get("css_classes") : []),
      )}
      data-wonda-theme={themeAttribute()}
      hidden={panel.isHidden.value}
    >
      {isOutermost && !panel.isConnected.value && (
        <KernelLost framed={kind.isComposite} sandbox={panel.get("sandbox")} />
      )}
      {hasBanner && <SandboxNote framed={kind.isComposite} />}
      <ErrorBoundary>
        <Content />
      </ErrorBoundary>
      {/* Hides the static output below this panel as long as this panel is live. */}
      <style>{panel.get("hiding")}</style>
    </section>
  );
}
