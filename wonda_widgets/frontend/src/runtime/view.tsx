// A panel as a component: its outermost element, and what all panels do.

import type { AnyModel, Host } from "@anywidget/types";
import { useSignalEffect } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { SandboxNote } from "../ui/sandbox_note";
import { PanelContext } from "./context";
import { classes } from "./dom";
import { suppressNotebookShortcuts } from "./keys";
import { Panel } from "./panel";

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

/** Show the panel of a model. */
export function PanelView({ kind, model, host }: { kind: PanelKind; model: AnyModel; host: Host }) {
  const panel = useMemo(() => new Panel(model, host), [model, host]);
  useEffect(() => () => panel.end(), [panel]);
  return (
    <PanelContext.Provider value={panel}>
      <Root kind={kind} panel={panel} />
    </PanelContext.Provider>
  );
}

function Root({ kind, panel }: { kind: PanelKind; panel: Panel }) {
  useEffect(() => suppressNotebookShortcuts(panel.root), [panel]);
  useSignalEffect(() => {
    if (Date.now() / 1000 - panel.get("scroll_requested_at") > SCROLL_AGE) return;
    setTimeout(() => {
      if (panel.isMounted) panel.root.scrollIntoView({ block: "nearest", behavior: "smooth" });
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
        ...(kind.isComposite ? panel.get("css_classes") : []),
      )}
      hidden={panel.isHidden.value}
    >
      {hasBanner && <SandboxNote framed={kind.isComposite} />}
      <Content />
      {/* Hides the static output below this panel as long as this panel is live. */}
      <style>{panel.get("hiding")}</style>
    </section>
  );
}
