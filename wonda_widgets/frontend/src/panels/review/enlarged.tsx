// The images of a review as large as the window; both zoom and move in sync.

import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { ViewState } from "../../logic/view_state";
import { isEscape, useHotkeys } from "../../runtime/keys";
import { Button } from "../../ui/button";
import { Viewer, ZoomButtons } from "../../ui/viewer";
import type { useImages } from "./images";

interface Props {
  isOpen: Signal<boolean>;
  view: ViewState;
  /** The keys of one image, or of the left and the right one. */
  keys: string[];
  images: ReturnType<typeof useImages>;
  /** The buttons to decide with. */
  children: ComponentChildren;
}

export function Enlarged({ isOpen, view, keys, images, children }: Props) {
  const box = useRef<HTMLDialogElement>(null);
  const shown = keys.join();
  const opens = isOpen.value && shown !== "";
  useLayoutEffect(() => {
    view.reset();
    if (opens && !box.current?.open) box.current?.showModal();
    if (!opens && box.current?.open) box.current.close();
  }, [opens, shown, view]);
  useHotkeys({ matches: isEscape, act: () => (box.current?.open ? box.current.close() : false) });
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape and the button Close do the same
    <dialog
      ref={box}
      class="wonda wonda-lightbox wonda-review-large"
      aria-label={keys.length === 2 ? "Two images" : "An image"}
      onClick={(event) => event.target === box.current && box.current?.close()}
      onClose={() => {
        isOpen.value = false;
      }}
    >
      {opens && (
        <div class="wonda-review-stage" data-count={keys.length}>
          {keys.map((key, index) => (
            <Viewer
              key={key}
              view={view}
              label={`${nameOf(index, keys.length)}; press plus or minus to zoom`}
              src={images.url(key)}
              alt={nameOf(index, keys.length)}
              message={images.url(key) ? "" : images.reason(key) || "Loading the image…"}
            />
          ))}
        </div>
      )}
      <div class="wonda-review-large-bar">
        <ZoomButtons view={view} />
        <div class="wonda-buttons">{children}</div>
        <Button small onPress={() => box.current?.close()}>
          Close
        </Button>
      </div>
    </dialog>
  );
}

function nameOf(index: number, count: number): string {
  if (count === 1) return "The image";
  return index ? "The right image" : "The left image";
}
