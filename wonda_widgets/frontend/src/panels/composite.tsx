// A panel that consists of others: `Studio`, `PromptLab`, `History`, `Dashboard`, the magic's output.

import type { AnyModel } from "@anywidget/types";
import { useEffect, useState } from "preact/hooks";
import { usePanel } from "../runtime/context";
import { findModel } from "../runtime/find_model";
import { PanelView } from "../ui/panel_view";
import { panelKind } from "./kinds";

/** A part: a reference to a panel's model, or a box of parts. */
type Part = string | { box: string; parts: Part[] };

/** The traits of `widgets/_parts/composite.py`. */
interface Traits {
  children: Part[];
}

export function Composite() {
  return <Parts parts={usePanel<Traits>().get("children")} />;
}

function Parts({ parts }: { parts: Part[] }) {
  return (
    <>
      {parts.map((part, index) =>
        typeof part === "string" ? (
          <PartView key={part} reference={part} />
        ) : (
          <div key={`${index} ${part.box}`} class={part.box}>
            <Parts parts={part.parts} />
          </div>
        ),
      )}
    </>
  );
}

/** The panel of a part. Its code is in this bundle, so that only its model is needed. */
function PartView({ reference }: { reference: string }) {
  const { host } = usePanel();
  const [model, setModel] = useState<AnyModel | null>(null);
  const [isMissing, setMissing] = useState(false);
  useEffect(() => {
    let isRemoved = false;
    findModel(host, reference).then(
      (found) => {
        if (!isRemoved) setModel(found);
      },
      () => {
        if (!isRemoved) setMissing(true);
      },
    );
    return () => {
      isRemoved = true;
    };
  }, [host, reference]);
  if (model) return <PanelView kind={panelKind(model.get("_panel"))} model={model} host={host} />;
  if (!isMissing) return null;
  return (
    <p class="wonda-part-missing" role="alert">
      A part of this panel could not be loaded. Run its cell again.
    </p>
  );
}
