// What both arrangements of a gallery share: focus, selection, keys, and requests for images.

import { type Signal, useSignalEffect } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { usePanel } from "../../runtime/context";
import { focusedElement, hasFocus, targetOf } from "../../runtime/dom";
import { useFocusBefore } from "../../runtime/focus";
import { useHotkeys } from "../../runtime/keys";
import type { ImageStore } from "./image_store";
import type { GalleryTraits } from "./traits";

const REQUEST_DELAY = 80; // milliseconds, in which scrolling may go on; none for other images
const MIN_WIDTH = 50; // pixels; a narrower grid is hidden
const PADDING = 8; // pixels, of the grid on both sides

/** The properties of an arrangement. */
export interface GridProps {
  store: ImageStore;
  viewId: string;
  /** The card with the focus. */
  active: Signal<number>;
  /** Set to move the focus to the active card. */
  focusRequest: Signal<number>;
  hidden: boolean;
  /** The indexes of the cards in the page. */
  shown: { current: number[] };
  open: (index: number) => void;
}

interface Context extends Pick<GridProps, "store" | "active" | "focusRequest" | "open"> {
  grid: { current: HTMLElement | null };
  /** The number of images. */
  count: () => number;
  /** Scroll until a card is in the page. */
  reveal: (index: number) => void;
  /** Where a key leads from a card; undefined for another key. */
  move: (key: string, at: number) => number | undefined;
}

/** Handle the keys of the cards; return a function that gives the properties of each one. */
export function useCards({ store, active, focusRequest, open, grid, ...place }: Context) {
  const panel = usePanel<GalleryTraits>();
  const anchor = useRef(0); // at which a selection with Shift begins
  const isWanted = useRef(false); // whether the active card must get the focus
  const focusBefore = useFocusBefore(grid);
  useSignalEffect(() => {
    const last = Math.max(0, place.count() - 1);
    if (active.peek() > last) active.value = last;
  });
  const focus = (index: number) => {
    const element = grid.current;
    const target = Math.max(0, Math.min(index, place.count() - 1));
    active.value = target;
    if (!element) return;
    place.reveal(target);
    const card = cardElement(element, target);
    if (card) card.focus({ preventScroll: true });
    else isWanted.current = true;
  };
  useLayoutEffect(() => {
    const element = grid.current;
    if (!element) return;
    const lost = isCard(focusBefore.current) && !hasFocus(element);
    // The person may be in another panel by now.
    const isElsewhere = focusedElement(element)?.closest(".wonda") && !hasFocus(panel.root);
    const wanted = isWanted.current && !isElsewhere;
    isWanted.current = false;
    if (!wanted && !lost) return;
    cardElement(element, active.peek())?.focus({ preventScroll: true });
  });
  useSignalEffect(() => {
    if (focusRequest.value) focus(active.peek());
  });
  const toggle = (index: number) => {
    const item = store.items.get(index);
    if (item?.state === "succeeded") panel.send({ type: "toggle", key: item.key });
  };
  const selectRange = (start: number, end: number) => {
    const [low, high] = start < end ? [start, end] : [end, start];
    const keys: string[] = [];
    for (let index = low; index <= high; index++) {
      const item = store.items.get(index);
      if (item?.state === "succeeded") keys.push(item.key);
    }
    panel.send({ type: "add", keys });
  };
  const handlers = useRef({ focus, toggle, selectRange, open });
  handlers.current = { focus, toggle, selectRange, open };
  // The same functions for each rendering, so that unchanged cards are not rendered again.
  const events = useMemo(
    () => ({
      onClick(index: number, event: MouseEvent) {
        handlers.current.focus(index);
        if (event.detail > 1) return;
        const key = store.items.get(index)?.key ?? "";
        // On a touch screen, where nothing is pressed twice, the second tap enlarges.
        const isTouch = (event as PointerEvent).pointerType === "touch";
        if (isTouch && panel.peek("selected_keys").includes(key)) handlers.current.open(index);
        else if (event.shiftKey) handlers.current.selectRange(anchor.current, index);
        else handlers.current.toggle(index);
        anchor.current = index;
      },
      onOpen: (index: number) => handlers.current.open(index),
      onFocus: (index: number) => {
        active.value = index;
      },
      onRetry: (key: string) => panel.send({ type: "retry", key }),
    }),
    [panel, active, store],
  );
  const act = (event: KeyboardEvent): boolean => {
    const at = active.peek();
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "a") return false;
      panel.send({ type: "select_all" });
      return true;
    }
    const acts: Record<string, () => void> = {
      " ": () => toggle(at),
      Enter: () => {
        const retry = grid.current
          ?.querySelector(`[data-index="${at}"]`)
          ?.querySelector<HTMLElement>(".wonda-card-state button");
        if (retry) retry.click();
        else open(at);
      },
      f: () => {
        const item = store.items.get(at);
        if (item?.state === "succeeded")
          panel.send({ type: "mark", key: item.key, favorite: !item.favorite });
      },
      Escape: () => {
        if (panel.peek("selected_keys").length) panel.send({ type: "select", keys: [] });
      },
    };
    const next = place.move(event.key, at);
    if (next !== undefined) {
      focus(next);
      if (event.shiftKey && event.key.startsWith("Arrow")) selectRange(at, active.peek());
      return true;
    }
    const action = acts[event.key];
    if (!action) return false;
    if (!event.repeat) action();
    return true;
  };
  useHotkeys({
    matches: (event) => isCard(targetOf(event)) && !event.altKey,
    act,
    repeats: true,
  });
  store.follow();
  const selected = new Set(panel.get("selected_keys"));
  return (index: number) => {
    const item = store.items.get(index);
    return {
      index,
      item,
      thumb: item ? store.thumb(item.key) : "",
      problem: item ? store.problem(item.key) : "",
      isSelected: !!item && selected.has(item.key),
      isActive: index === active.value,
      ...events,
    };
  };
}

const isCard = (element: Element | null): boolean =>
  element?.classList.contains("wonda-card") ?? false;

const cardElement = (grid: Element, index: number): HTMLElement | null =>
  grid.querySelector(`[data-index="${index}"]`);

/** The width of each card and the height of its image (pixels), for the style sheet. */
export const cardSize = (width: number, height: number): Record<string, string> => ({
  "--wonda-card-width": `${width}px`,
  "--wonda-card-height": `${height}px`,
});

/** Call a function once in the next frame, however often it is asked. */
export function onFrame(act: () => void): () => void {
  let frame = 0;
  return () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(act);
  };
}

/** Follow the size of the grid's inside, in pixels, while it is not hidden. */
export function useSize(
  grid: { current: HTMLElement | null },
  size: Signal<{ width: number; height: number }>,
  hidden: boolean,
): void {
  useLayoutEffect(() => {
    const element = grid.current;
    if (!element || hidden) return;
    const measure = () => {
      const width = element.clientWidth - PADDING;
      const height = element.clientHeight || 600;
      const old = size.peek();
      if (width < MIN_WIDTH || (width === old.width && height === old.height)) return;
      size.value = { width, height };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [grid, size, hidden]);
}

/** The first and the last visible row, and the first and the last column. */
type Area = readonly [readonly [number, number], readonly [number, number]];

/**
 * Ask the kernel for the items and thumbnails of the visible windows: first and last index.
 *
 * With the area of a grid, the kernel can also send what is visible of another arrangement.
 */
export function useRequests(
  store: ImageStore,
  viewId: string,
  windows: readonly (readonly [number, number])[],
  area?: Area,
): void {
  const panel = usePanel<GalleryTraits>();
  const known = useRef(""); // the windows whose changes the kernel sends without a request
  const knownRevision = useRef(-1);
  const wanted = `${area ?? ""} ${windows.map((window) => window.join(":")).join(" ")}`;
  const revision = panel.get("revision");
  useEffect(() => {
    if (!windows.length) return;
    const delay = knownRevision.current === revision ? REQUEST_DELAY : 0;
    const timer = setTimeout(() => {
      const visible = windows.flatMap(([first, last]) =>
        Array.from({ length: last - first }, (_, at) => store.items.get(first + at)),
      );
      const has = visible.flatMap((item) => (item && store.hasThumb(item.key) ? [item.key] : []));
      const lacks = visible.some(
        (item) => !item || (item.state === "succeeded" && !store.hasThumb(item.key)),
      );
      if (!lacks && known.current === wanted) return;
      known.current = wanted;
      knownRevision.current = revision;
      const lacking = windows.flatMap((window) => missing(store, window));
      panel.send({ type: "window", view: viewId, windows, area, lacking, has });
    }, delay);
    return () => clearTimeout(timer);
  }, [wanted, revision, store, viewId, panel]);
}

/** The parts of a window whose items have not arrived. */
function missing(
  store: ImageStore,
  [first, last]: readonly [number, number],
): (readonly [number, number])[] {
  const parts: [number, number][] = [];
  for (let index = first; index < last; index++) {
    if (store.items.has(index)) continue;
    const part = parts.at(-1);
    if (part?.[1] === index) part[1] = index + 1;
    else parts.push([index, index + 1]);
  }
  return parts;
}
