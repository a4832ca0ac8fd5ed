// An enlarged image of a gallery: zoom and pan, parameters, rating and note.

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { ViewState } from "../../logic/view_state";
import { objectUrl, revoke } from "../../runtime/bytes";
import { useMessages, usePanel } from "../../runtime/context";
import { targetOf } from "../../runtime/dom";
import { isEscape, useHotkeys } from "../../runtime/keys";
import { Button, CopyButton } from "../../ui/button";
import { Field } from "../../ui/field";
import { Player } from "../../ui/player";
import { Stars } from "../../ui/stars";
import { Viewer, ZoomButtons } from "../../ui/viewer";
import type { ImageStore } from "./image_store";
import type { GalleryTraits, Item } from "./traits";

interface About {
  key: string;
  prompt: string;
  rows: { label: string; value: string }[];
  code: string;
  note: string;
}

/** The large image of an item, or why there is none. */
interface Large {
  key: string;
  url: string;
  reason: string;
  facts: string;
}

const NO_ABOUT: About = { key: "", prompt: "", rows: [], code: "", note: "" };
const NO_LARGE: Large = { key: "", url: "", reason: "", facts: "" };

interface Props {
  store: ImageStore;
  viewId: string;
  /** The item that is enlarged; null for none. */
  item: Signal<Item | null>;
  /** Called with the index of the item when the dialog is closed. */
  onClose: (index: number) => void;
}

export function CloseLook({ store, viewId, item: opened, onClose }: Props) {
  const panel = usePanel<GalleryTraits>();
  const view = useMemo(() => new ViewState(), []);
  const box = useRef<HTMLDialogElement>(null);
  const viewer = useRef<HTMLDivElement | null>(null);
  const about = useSignal(NO_ABOUT);
  const large = useSignal(NO_LARGE);
  useMessages((content, buffers) => {
    if (content.view !== viewId || content.key !== opened.peek()?.key) return;
    if (content.type === "about") about.value = content as unknown as About;
    if (content.type !== "large") return;
    revoke(large.peek().url);
    large.value = {
      key: String(content.key),
      url: objectUrl(buffers[0], String(content.mime ?? "")),
      reason: String(content.reason ?? ""),
      facts: String(content.facts ?? ""),
    };
  });
  useLayoutEffect(() => () => revoke(large.peek().url), [large]);

  const key = opened.value?.key;
  useLayoutEffect(() => {
    if (!key || !box.current) return;
    view.reset();
    if (!box.current.open) {
      box.current.showModal();
      viewer.current?.focus();
    }
    panel.send({ type: "open", key, view: viewId });
  }, [key, view, panel, viewId]);

  const step = (by: number) => {
    const index = store.indexOf(opened.peek()?.key ?? "");
    for (let at = index + by; store.items.has(at); at += by) {
      const next = store.items.get(at);
      if (next?.state === "succeeded") {
        opened.value = next;
        return;
      }
    }
  };
  useHotkeys(
    { matches: isEscape, act: () => (box.current?.open ? box.current.close() : false) },
    {
      matches: ({ key: name }) => name === "ArrowLeft" || name === "ArrowRight",
      act: (event) => {
        const isTyping = /^(TEXTAREA|INPUT|VIDEO)$/.test(targetOf(event).tagName);
        if (!box.current?.open || isTyping || view.isZoomed) return false;
        step(event.key === "ArrowLeft" ? -1 : 1);
      },
    },
  );

  store.follow();
  const item = opened.value && (store.items.get(store.indexOf(opened.value.key)) ?? opened.value);
  const isKnown = about.value.key === key;
  const shownAbout = isKnown ? about.value : NO_ABOUT;
  const shownLarge = large.value.key === key ? large.value : NO_LARGE;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape and the button Close do the same
    <dialog
      ref={box}
      class="wonda wonda-close-look"
      aria-label="Image"
      onClick={(event) => event.target === box.current && box.current?.close()}
      onClose={() => {
        const index = store.indexOf(opened.peek()?.key ?? "");
        opened.value = null;
        about.value = NO_ABOUT;
        onClose(Math.max(0, index));
      }}
    >
      <div class="wonda-close-image">
        {item?.is_video ? (
          <div class="wonda-close-video">
            <Player
              key={item.key}
              of={item.key}
              poster={shownLarge.url || store.thumb(item.key)}
              label={item.title}
            />
          </div>
        ) : (
          <Viewer
            view={view}
            label="Image; press plus or minus to zoom"
            src={shownLarge.url || (item ? store.thumb(item.key) : "")}
            alt={item?.title ?? ""}
            message={shownLarge.key ? shownLarge.reason : "Loading the image…"}
            elementRef={(element) => {
              viewer.current = element;
            }}
          />
        )}
        <div class="wonda-close-bar">
          <Button small repeats label="Previous image" onPress={() => step(-1)}>
            ‹
          </Button>
          <Button small repeats label="Next image" onPress={() => step(1)}>
            ›
          </Button>
          <ZoomButtons view={view} hidden={item?.is_video} />
          <p class="wonda-count">{shownLarge.facts}</p>
        </div>
      </div>
      <div class="wonda-about">
        {item && (
          <Details
            item={item}
            about={shownAbout}
            isKnown={isKnown}
            close={() => box.current?.close()}
          />
        )}
      </div>
    </dialog>
  );
}

/** The text next to the image, and what can be done with it. */
function Details({
  item,
  about,
  isKnown,
  close,
}: {
  item: Item;
  about: About;
  isKnown: boolean;
  close: () => void;
}) {
  const panel = usePanel<GalleryTraits>();
  const isSelected = panel.get("selected_keys").includes(item.key);
  const isReadOnly = !!item.read_only; // images of other users cannot be marked
  const mark = (marks: object) => panel.send({ type: "mark", key: item.key, ...marks });
  return (
    <>
      <div class="wonda-buttons">
        <Button
          small
          pressed={!!item.favorite}
          hidden={isReadOnly}
          onPress={() => mark({ favorite: !item.favorite })}
        >
          {item.favorite ? "★ Favorite" : "☆ Favorite"}
        </Button>
        <Button
          small
          pressed={isSelected}
          onPress={() => panel.send({ type: "toggle", key: item.key })}
        >
          {isSelected ? "Selected ✓" : "Select"}
        </Button>
        <span class="wonda-gap" />
        <Button small onPress={close}>
          Close
        </Button>
      </div>
      <p class="wonda-about-prompt" dir="auto">
        {isKnown ? about.prompt || "No prompt" : item.title}
      </p>
      <dl class="wonda-about-rows">
        {about.rows.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class="wonda-count" hidden={!isReadOnly}>
        This was generated in another session, so it cannot be rated here.
      </p>
      <Stars rating={item.rating ?? 0} hidden={isReadOnly} onRate={(rating) => mark({ rating })} />
      <Note
        key={isKnown ? about.key : ""}
        saved={about.note}
        hidden={isReadOnly}
        save={isKnown ? (note) => panel.send({ type: "mark", key: about.key, note }) : null}
      />
      <div class="wonda-buttons">
        <CopyButton text={() => about.code}>Copy as code</CopyButton>
      </div>
      <div class="wonda-buttons">
        {panel
          .get("actions")
          .filter(({ min_images }) => min_images === 1)
          .filter(({ images_only }) => !(images_only && item.is_video))
          .map(({ name, label }) => (
            <Button
              key={name}
              small
              onPress={() => {
                close();
                panel.send({ type: "act", name, keys: [item.key] });
              }}
            >
              {label}
            </Button>
          ))}
      </div>
    </>
  );
}

const NOTE_DELAY = 500; // milliseconds
const MAX_NOTE_LENGTH = 2000;

/** The note of one image; it is saved after a pause, and when another image is opened. */
function Note({
  saved,
  hidden,
  save,
}: {
  saved: string;
  hidden: boolean;
  save: ((note: string) => void) | null;
}) {
  const text = useSignal(saved);
  const sent = useRef(saved);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const send = () => {
    clearTimeout(timer.current);
    if (!save || text.peek() === sent.current) return;
    sent.current = text.peek();
    save(text.peek());
  };
  const latest = useRef(send);
  latest.current = send;
  useEffect(() => () => latest.current(), []);
  return (
    <Field label="Note" hidden={hidden}>
      {(control) => (
        <textarea
          {...control}
          class="wonda-input"
          rows={3}
          dir="auto"
          maxLength={MAX_NOTE_LENGTH}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            clearTimeout(timer.current);
            timer.current = setTimeout(send, NOTE_DELAY);
          }}
          onChange={send}
        />
      )}
    </Field>
  );
}
