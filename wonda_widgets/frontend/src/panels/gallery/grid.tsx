// The grid of cards: only the visible rows are in the page.

import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import {
  type CardRow,
  cardInNextRow,
  GAP,
  HEADING_HEIGHT,
  isCardRow,
  layOut,
  rowAt,
  rowOfCard,
  TEXT_HEIGHT,
} from "../../logic/grid_layout";
import { own } from "../../logic/own";
import { usePanel } from "../../runtime/context";
import { classes } from "../../runtime/dom";
import { Card } from "./card";
import { cardSize, type GridProps, onFrame, useCards, useRequests, useSize } from "./cards";
import type { GalleryTraits } from "./traits";

const PRELOAD = 400; // pixels above and below the visible part

export function Grid({ store, viewId, active, focusRequest, hidden, shown, open }: GridProps) {
  const panel = usePanel<GalleryTraits>();
  const grid = useRef<HTMLDivElement>(null);
  const size = useSignal({ width: 600, height: 600 }); // pixels
  const scrollTop = useSignal(0);

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
  useSize(grid, size, hidden);
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
  const first = seen[0]?.first ?? 0;
  const last = seen.reduce((end, row) => Math.max(end, row.first + row.count), 0);
  useRequests(store, viewId, last > first ? [[first, last]] : []);

  const reveal = (index: number) => {
    const row = layout.peek().rows[rowOfCard(layout.peek().rows, index)];
    const element = grid.current;
    if (!row || !element) return;
    if (row.top < element.scrollTop) element.scrollTop = Math.max(0, row.top - HEADING_HEIGHT);
    else if (row.top + row.height > element.scrollTop + element.clientHeight)
      element.scrollTop = row.top + row.height - element.clientHeight + GAP;
    scrollTop.value = element.scrollTop;
  };
  const move = (key: string, at: number) => {
    const { rows, columns, image, count } = layout.peek();
    const height = grid.current?.clientHeight ?? 0;
    const page = columns * Math.max(1, Math.floor(height / (image + TEXT_HEIGHT + GAP)));
    const moves: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      ArrowUp: cardInNextRow(rows, at, -1),
      ArrowDown: cardInNextRow(rows, at, 1),
      PageUp: at - page,
      PageDown: at + page,
      Home: 0,
      End: count - 1,
    };
    return own(moves, key);
  };
  const count = () => layout.value.count;
  const cardProps = useCards({ store, active, focusRequest, open, grid, count, reveal, move });

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
      <div
        class="wonda-gallery-canvas"
        role="presentation"
        style={{ height: `${height}px`, ...cardSize(card, image) }}
      >
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
              indexesOf(row).map((at) => <Card key={at} hasText {...cardProps(at)} />)
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
