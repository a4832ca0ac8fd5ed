// `ImagePreview`: the image, and an enlarged view of it.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { hasBytes, objectUrl, revoke, useObjectUrl } from "../runtime/bytes";
import { useMessages, usePanel, useUid } from "../runtime/context";
import { classes } from "../runtime/dom";
import { useDownloads } from "../runtime/downloads";
import { isEscape, useHotkeys } from "../runtime/keys";
import { AlertBox } from "../ui/alert";
import { Button, CopyButton } from "../ui/button";

interface Traits {
  data: DataView | null;
  mime_type: string;
  alt: string;
  state: string;
  waiting: boolean;
  aspect_ratio: string;
  facts: string;
  media_id: string;
  saved: string;
  editable: boolean;
}

/** Width divided by height of "4:5"; 1 if it is not a ratio. */
function ratioOf(text: string): number {
  const [wide = 0, high = 0] = (text || "1:1").split(":").map(Number);
  return wide > 0 && high > 0 ? wide / high : 1;
}

export function ImagePreview() {
  const panel = usePanel<Traits>();
  const viewId = useUid("view");
  const url = useObjectUrl(panel.get("data"), panel.get("mime_type"));
  const openButton = useRef<HTMLButtonElement>(null);
  const box = useRef<HTMLDialogElement>(null);
  const state = panel.get("state");
  const isReady = state === "ready";
  const open = () => {
    if (!url || !box.current) return;
    box.current.showModal();
    panel.send({ type: "large" });
  };
  useDownloads(viewId);
  useHotkeys({
    matches: isEscape,
    act: () => (box.current?.open ? box.current.close() : false),
  });
  return (
    <>
      <div class={classes("wonda-stage", panel.get("waiting") && "wonda-waiting")}>
        <div
          class="wonda-frame"
          hidden={hasBytes(panel.get("data"))}
          style={{ "--wonda-ratio": String(ratioOf(panel.get("aspect_ratio"))) }}
        >
          <p>Your image will appear here</p>
        </div>
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the button Open does the same */}
        <img
          class="wonda-image"
          src={url || undefined}
          alt={panel.get("alt")}
          hidden={!url}
          onClick={open}
        />
        <p class="wonda-veil" role="status">
          {state === "loading" ? "Loading the image…" : ""}
        </p>
      </div>
      <div class={classes("wonda-image-row", !isReady && "wonda-off")} inert={!isReady}>
        <span class="wonda-facts">{panel.get("facts")}</span>
        <span class="wonda-actions">
          <Button small elementRef={openButton} onPress={open}>
            Open
          </Button>
          <Button
            small
            hidden={!panel.get("editable") || !panel.allows("edit")}
            onPress={() => panel.send({ type: "edit" })}
          >
            Edit
          </Button>
          <Button
            small
            title="Writes the original to the notebook’s folder"
            hidden={!panel.allows("save")}
            onPress={() => panel.send({ type: "save" })}
          >
            Save to folder
          </Button>
          <Button
            small
            title="Saves the original to this computer"
            onPress={() => panel.send({ type: "download", view: viewId })}
          >
            Download
          </Button>
          <CopyButton text={() => panel.peek("media_id")}>Copy media ID</CopyButton>
        </span>
      </div>
      <p class="wonda-note wonda-saved">
        <span role="status">{panel.get("saved")}</span>
      </p>
      <AlertBox />
      <EnlargedImage box={box} small={url} onClose={() => openButton.current?.focus()} />
    </>
  );
}

/** A dialog with the image as large as the window. */
function EnlargedImage({
  box,
  small,
  onClose,
}: {
  box: { current: HTMLDialogElement | null };
  small: string;
  onClose: () => void;
}) {
  const panel = usePanel<Traits>();
  const large = useSignal({ of: "", url: "" });
  useMessages((content, buffers) => {
    if (content.type !== "large" || content.of !== panel.peek("media_id")) return;
    revoke(large.peek().url);
    large.value = { of: String(content.of), url: objectUrl(buffers[0], String(content.mime)) };
  });
  useLayoutEffect(() => () => revoke(large.peek().url), [large]);
  const alt = panel.get("alt");
  const isLarge = large.value.of === panel.get("media_id") && large.value.url !== "";
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape and the button Close do the same
    <dialog
      ref={box}
      class="wonda wonda-lightbox"
      aria-label="Image"
      onClick={(event) => event.target === box.current && box.current?.close()}
      onClose={onClose}
    >
      <img class="wonda-big" src={(isLarge ? large.value.url : small) || undefined} alt={alt} />
      <div class="wonda-big-row">
        <p class="wonda-big-text">{alt}</p>
        <Button small onPress={() => box.current?.close()}>
          Close
        </Button>
      </div>
    </dialog>
  );
}
