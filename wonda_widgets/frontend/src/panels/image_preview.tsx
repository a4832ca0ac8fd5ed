// `ImagePreview`: the image, and an enlarged view of it.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { hasBytes, objectUrl, revoke, useObjectUrl } from "../runtime/bytes";
import { useMessages, usePanel, useUid } from "../runtime/context";
import { useDownloads } from "../runtime/downloads";
import { isEscape, useHotkeys } from "../runtime/keys";
import { Button } from "../ui/button";
import { MediaStage, type MediaTraits } from "../ui/media_stage";

interface Traits extends MediaTraits {
  editable: boolean;
  animatable: boolean;
}

export function ImagePreview() {
  const panel = usePanel<Traits>();
  const viewId = useUid("view");
  const url = useObjectUrl(panel.get("data"), panel.get("mime_type"));
  const openButton = useRef<HTMLButtonElement>(null);
  const box = useRef<HTMLDialogElement>(null);
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
      <MediaStage
        noun="image"
        isEmpty={!hasBytes(panel.get("data"))}
        onDownload={() => panel.send({ type: "download", view: viewId })}
        actions={
          <>
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
              title="Uses the image as the first frame of a video"
              hidden={!panel.get("animatable") || !panel.allows("generate")}
              onPress={() => panel.send({ type: "animate" })}
            >
              Animate
            </Button>
          </>
        }
      >
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the button Open does the same */}
        <img
          class="wonda-image"
          src={url || undefined}
          alt={panel.get("alt")}
          hidden={!url}
          onClick={open}
        />
      </MediaStage>
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
