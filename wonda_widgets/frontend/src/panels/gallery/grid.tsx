// The grid of cards: only the visible rows are in the page.

import { type Signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import {
  type CardRow,
  cardInNextRow,
  GAP,
  type GridLayout,
  HEADING_HEIGHT,
  isCardRow,
  layOut,
  rowAt,
  rowOfCard,
  TEXT_HEIGHT,
} from "../../logic/grid_layout";
import { usePanel } from "../../runtime/context";
import { classes, hasFocus, targetOf } from "../../runtime/dom";
import { useFocusBefore } from "../../runtime/focus";
import { useHotkeys } from "../../runtime/keys";
import { Card } from "./card";
import type { ImageStore } from "./image_store";
import type { GalleryTraits } from "./traits";

const PRELOAD = 400; // pixels above and below the visible part
const REQUEST_DELAY = 30; // milliseconds, in which scrolling may go on
const MIN_WIDTH = 50; // pixels; a narrower grid is hidden
const PADDING = 8; // pixels, of the grid on both sides

interface Props {
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

export function Grid({ store, viewId, active, focusRequest, hidden, shown, open }: Props) {
  const panel = usePanel<GalleryTraits>();
  const grid = useRef<HTMLDivElement>(null);
  const size = useSignal({ width: 600, height: 600 }); // pixels
  const scrollTop = useSignal(0);
  const anchor = useRef(0); // at which a selection with Shift begins

  const onScroll = useMemo(
    () =>
      onFrame(() => {
        if (grid.current) scrollTop.value = grid.current.scrollTop;
      }),
    [scrollTop],
  );
  const layout = useComputed(() =>
    layOut(panel.get("groups"), size.value.width, panel.get("aspect_ratio")),
  );
  useSize(grid, size);
  useSignalEffect(() => {
    const last = Math.max(0, layout.value.count - 1);
    if (active.peek() > last) active.value = last;
  });

  const { rows, columns, card, image, height } = layout.value;
  const top = scrollTop.value;
  const from = rowAt(rows, Math.max(0, top - PRELOAD));
  const to = rowAt(rows, top + size.value.height + PRELOAD);
  // Removing the row that has the focus would lose the focus.
  const focusedRow = rowOfCard(rows, active.value);
  const visible = rows.map((row, index) => ({ row, index })).slice(from, to + 1);
  const focused = rows[focusedRow];
  if (focused && focusedRow < from) visible.unshift({ row: focused, index: focusedRow });
  if (focused && focusedRow > to) visible.push({ row: focused, index: focusedRow });
  const seen = rows.slice(from, to + 1).filter(isCardRow);
  useLayoutEffect(() => {
    shown.current = visible.flatMap(({ row }) => (isCardRow(row) ? indexesOf(row) : []));
  });
  useRequests(store, viewId, seen);

  const selected = new Set(panel.get("selected_keys"));
  store.follow();
  const isWanted = useRef(false); // whether the active card must get the focus
  const focusBefore = useFocusBefore(grid);
  const focus = (index: number) => {
    const target = Math.max(0, Math.min(index, layout.peek().count - 1));
    active.value = target;
    const row = layout.peek().rows[rowOfCard(layout.peek().rows, target)];
    const element = grid.current;
    if (!row || !element) return;
    if (row.top < element.scrollTop) element.scrollTop = Math.max(0, row.top - HEADING_HEIGHT);
    else if (row.top + row.height > element.scrollTop + element.clientHeight)
      element.scrollTop = row.top + row.height - element.clientHeight + GAP;
    scrollTop.value = element.scrollTop;
    const card = cardElement(element, target);
    if (card) card.focus({ preventScroll: true });
    else isWanted.current = true;
  };
  useLayoutEffect(() => {
    const element = grid.current;
    if (!element) return;
    const lost = isCard(focusBefore.current) && !hasFocus(element);
    if (!isWanted.current && !lost) return;
    isWanted.current = false;
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
  const cardEvents = useMemo(
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
  useGridKeys({ store, layout, active, grid, handlers });

  return (
    // biome-ignore lint/a11y/useSemanticElements: a table cannot be laid out in virtual rows
    <div
      class={classes("wonda-grid", top + size.value.height < height - GAP && "wonda-more-below")}
      ref={grid}
      role="grid"
      aria-multiselectable="true"
      aria-label="Images"
      aria-rowcount={rows.length}
      hidden={hidden}
      onScroll={onScroll}
    >
      <div class="wonda-gallery-canvas" role="presentation" style={{ height: `${height}px` }}>
        {visible.map(({ row, index }) => (
          // biome-ignore lint/a11y/useSemanticElements: a table cannot be laid out in virtual rows
          // biome-ignore lint/a11y/useFocusableInteractive: its cards can be focused
          <div
            key={isCardRow(row) ? `${columns} ${row.first}` : `heading ${row.title}`}
            role="row"
            aria-rowindex={index + 1}
            class={classes("wonda-gallery-row", !isCardRow(row) && "wonda-group")}
            style={{ transform: `translateY(${row.top}px)`, height: `${row.height}px` }}
          >
            {isCardRow(row) ? (
              indexesOf(row).map((at) => {
                const item = store.items.get(at);
                return (
                  <Card
                    key={at}
                    index={at}
                    item={item}
                    thumb={item ? store.thumb(item.key) : ""}
                    problem={item ? store.problem(item.key) : ""}
                    isSelected={!!item && selected.has(item.key)}
                    isActive={at === active.value}
                    width={card}
                    imageHeight={image}
                    {...cardEvents}
                  />
                );
              })
            ) : (
              // biome-ignore lint/a11y/useSemanticElements: see above
              // biome-ignore lint/a11y/useFocusableInteractive: a heading does nothing
              <div role="gridcell">
                <strong>{row.title}</strong>
                <span class="wonda-count"> {row.count}</span>
              </div>
            )}
          </div>
        ))}
      </div>
    </div>
  );
}

const indexesOf = (row: CardRow): number[] =>
  Array.from({ length: row.count }, (_, at) => row.first + at);

const isCard = (element: Element | null): boolean =>
  element?.classList.contains("wonda-card") ?? false;

const cardElement = (grid: Element, index: number): HTMLElement | null =>
  grid.querySelector(`[data-index="${index}"]`);

/** Call a function once in the next frame, however often it is asked. */
function onFrame(act: () => void): () => void {
  let frame = 0;
  return () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(act);
  };
}

/** Follow the size of the grid's inside, in pixels. */
function useSize(
  grid: { current: HTMLElement | null },
  size: Signal<{ width: number; height: number }>,
): void {
  useLayoutEffect(() => {
    const element = grid.current;
    if (!element) return;
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
  }, [grid, size]);
}

/** Ask the kernel for the items and thumbnails of the visible rows. */
function useRequests(store: ImageStore, viewId: string, seen: CardRow[]): void {
  const panel = usePanel<GalleryTraits>();
  const known = useRef(""); // the window whose changes the kernel sends without a request
  const first = seen[0]?.first ?? 0;
  const last = seen.reduce((end, row) => Math.max(end, row.first + row.count), 0);
  const revision = panel.get("revision");
  useEffect(() => {
    if (last <= first) return;
    const timer = setTimeout(() => {
      const range = Array.from({ length: last - first }, (_, at) => store.items.get(first + at));
      const has = range.flatMap((item) => (item && store.thumb(item.key) ? [item.key] : []));
      const lacks = range.some(
        (item) => !item || (item.state === "succeeded" && !store.thumb(item.key)),
      );
      if (!lacks && known.current === `${first}:${last}`) return;
      known.current = `${first}:${last}`;
      panel.send({ type: "window", view: viewId, first, last, has });
    }, REQUEST_DELAY);
    return () => clearTimeout(timer);
  }, [first, last, revision, store, viewId, panel]);
}

interface KeyContext {
  store: ImageStore;
  layout: { peek: () => GridLayout };
  active: Signal<number>;
  grid: { current: HTMLElement | null };
  handlers: {
    current: {
      focus: (index: number) => void;
      toggle: (index: number) => void;
      selectRange: (start: number, end: number) => void;
      open: (index: number) => void;
    };
  };
}

/** The keys of a focused card. */
function useGridKeys({ store, layout, active, grid, handlers }: KeyContext): void {
  const panel = usePanel<GalleryTraits>();
  const act = (event: KeyboardEvent): boolean => {
    const { focus, toggle, selectRange, open } = handlers.current;
    const { rows, columns, image, count } = layout.peek();
    const at = active.peek();
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "a") return false;
      panel.send({ type: "select_all" });
      return true;
    }
    const height = grid.current?.clientHeight ?? 0;
    const page = columns * Math.max(1, Math.floor(height / (image + TEXT_HEIGHT + GAP)));
    const moves: Record<string, () => number> = {
      ArrowLeft: () => at - 1,
      ArrowRight: () => at + 1,
      ArrowUp: () => cardInNextRow(rows, at, -1),
      ArrowDown: () => cardInNextRow(rows, at, 1),
      PageUp: () => at - page,
      PageDown: () => at + page,
      Home: () => 0,
      End: () => count - 1,
    };
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
    const move = moves[event.key];
    if (move) {
      focus(move());
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
}
