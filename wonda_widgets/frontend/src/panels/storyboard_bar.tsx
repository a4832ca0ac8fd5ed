// The bar that keeps the images in the notebook, or exports them as a page.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { useHidden, usePanel, useUid } from "../runtime/context";
import { isMarimo, isVoila } from "../runtime/dom";
import { useDownloads } from "../runtime/downloads";
import { AlertBox } from "../ui/alert";
import { Button } from "../ui/button";

interface Traits {
  has_images: boolean;
  busy: string;
}

export function StoryboardBar() {
  const panel = usePanel<Traits>();
  const viewId = useUid("view");
  const isAsking = useSignal(false);
  const keep = useRef<HTMLButtonElement>(null);
  const question = useRef<HTMLDivElement>(null);
  const moveFocus = useRef(false);
  const busy = panel.get("busy");
  const ask = (now: boolean) => {
    isAsking.value = now;
    moveFocus.current = true;
  };
  const asks = isAsking.value;
  useLayoutEffect(() => {
    if (moveFocus.current) (asks ? question : keep).current?.focus({ preventScroll: true });
    moveFocus.current = false;
  });
  useDownloads(viewId);
  useHidden(!panel.get("has_images"));
  return (
    <>
      <div class="wonda-buttons">
        <Button
          small
          elementRef={keep}
          // A Voilà page is not a notebook, and marimo saves no output, so nothing can be kept.
          hidden={isVoila() || isMarimo() || !panel.allows("keep")}
          onPress={() => ask(true)}
        >
          Keep in notebook…
        </Button>
        <Button
          small
          off={!!busy}
          title="Saves one HTML file with the results, prompts and posts, to share outside the notebook"
          onPress={() => panel.send({ type: "page", view: viewId })}
        >
          Export page
        </Button>
        <span class="wonda-note" role="status">
          {busy}
        </span>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would need a visible legend */}
      <div
        class="wonda-keep"
        ref={question}
        role="group"
        aria-label="Keep in notebook"
        tabIndex={-1}
        hidden={!asks}
      >
        <p>
          Replace this panel with a static copy? Its image, text and table stay visible in the
          notebook without a kernel. To continue, show the panel in another cell.
        </p>
        <div class="wonda-buttons">
          <Button small primary off={!!busy} onPress={() => panel.send({ type: "keep" })}>
            Replace
          </Button>
          <Button small onPress={() => ask(false)}>
            Cancel
          </Button>
        </div>
      </div>
      <AlertBox />
    </>
  );
}
