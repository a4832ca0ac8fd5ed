// A grid with two axes: the values of one fact in rows, of another in columns.
//
// Only the visible cells are in the page. The labels stay in sight while the grid scrolls.

import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import {
  axisRowAt,
  cellOf,
  HEADER_HEIGHT,
  imageInNextRow,
  layOutAxes,
  placeInCell,
  windowsOf,
} from "../../logic/axis_layout";
import { GAP } from "../../logic/grid_layout";
import { own } from "../../logic/own";
import { usePanel } from "../../runtime/context";
import { Card } from "./card";
import { cardSize, type GridProps, onFrame, useCards, useRequests, useSize } from "./cards";
import type { GalleryTraits } from "./traits";

const PRELOAD = 100; // pixels around the visible part

export function AxisGrid(props: GridProps) {
  const { store, viewId, active, focusRequest, hidden, shown, open } = props;
  const panel = usePanel<GalleryTraits>();
  const grid = useRef<HTMLDivElement>(null);
  const size = useSignal({ width: 600, height: 600 }); // pixels
  const scroll = useSignal({ top: 0, left: 0 });
  const readScroll = () => {
    const { scrollTop: top = 0, scrollLeft: left = 0 } = grid.current ?? {};
    scroll.value = { top, left };
  };
  const onScroll = useMemo(() => onFrame(readScroll), []);
  const layout = useComputed(() =>
    layOutAxes(panel.get("grid"), size.value.width, panel.get("aspect_ratio")),
  );
  useSize(grid, size, hidden);

  const { rows = [], columns = [] } = panel.get("grid");
  const { tops, heights, column, label, card, image, starts, counts } = layout.value;
  const { top, left } = scroll.value;
  const rowRange = [
    axisRowAt(layout.value, top - PRELOAD),
    axisRowAt(layout.value, top + size.value.height + PRELOAD),
  ] as const;
  const columnAt = (x: number) =>
    Math.max(0, Math.min(columns.length - 1, Math.floor((x - label) / column)));
  const columnRange = [
    columnAt(left + label - PRELOAD),
    columnAt(left + size.value.width + PRELOAD),
  ] as const;
  const windows = windowsOf(layout.value, rowRange, columnRange);
  useLayoutEffect(() => {
    shown.current = windows.flatMap(([first, last]) =>
      Array.from({ length: last - first }, (_, at) => first + at),
    );
  });
  useRequests(store, viewId, windows, [rowRange, columnRange]);

  const reveal = (index: number) => {
    const element = grid.current;
    if (!element) return;
    const [row, at, place] = cellOf(layout.peek(), index);
    const inCell = placeInCell(layout.peek(), place);
    const header = columns.length > 1 ? HEADER_HEIGHT : 0;
    const y = (layout.peek().tops[row] ?? 0) + inCell.top;
    const x = at * column + inCell.left;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + image + header > element.scrollTop + element.clientHeight)
      element.scrollTop = y + image + header - element.clientHeight + GAP;
    if (x < element.scrollLeft) element.scrollLeft = x;
    else if (x + card + label > element.scrollLeft + element.clientWidth)
      element.scrollLeft = x + card + label - element.clientWidth + GAP;
    readScroll();
  };
  const move = (key: string, at: number) => {
    const [row] = cellOf(layout.peek(), at);
    const inRow = layout.peek().starts[row] ?? [];
    const end = (inRow.at(-1) ?? 0) + (layout.peek().counts[row]?.at(-1) ?? 0) - 1;
    const page = Math.max(1, Math.floor(size.peek().height / ((heights[row] ?? image) + GAP)));
    const far = (step: number) => {
      let to = at;
      for (let moved = 0; moved < page; moved++) to = imageInNextRow(layout.peek(), to, step);
      return to;
    };
    const moves: Record<string, () => number> = {
      ArrowLeft: () => at - 1,
      ArrowRight: () => at + 1,
      ArrowUp: () => imageInNextRow(layout.peek(), at, -1),
      ArrowDown: () => imageInNextRow(layout.peek(), at, 1),
      PageUp: () => far(-1),
      PageDown: () => far(1),
      Home: () => inRow[0] ?? 0,
      End: () => end,
    };
    return own(moves, key)?.();
  };
  const count = () => layout.value.count;
  const cardProps = useCards({ store, active, focusRequest, open, grid, count, reveal, move });

  const [focusedRow, focusedColumn] = cellOf(layout.value, active.value);
  // Removing the cell that has the focus would lose the focus.
  const shownRows = indexes(rowRange, focusedRow);
  const shownColumns = indexes(columnRange, focusedColumn);
  const hasHeader = columns.length > 1;
  const cell = (row: number, at: number) => {
    const first = starts[row]?.[at] ?? 0;
    const total = counts[row]?.[at] ?? 0;
    const style = { left: `${label + at * column}px`, width: `${column - GAP}px` };
    if (!total)
      return (
        // biome-ignore lint/a11y/useSemanticElements: a table cannot be laid out in virtual rows
        // biome-ignore lint/a11y/useFocusableInteractive: there is nothing to do in an empty cell
        <div
          key={`empty ${at}`}
          role="gridcell"
          class="wonda-axis-empty"
          style={{ ...style, height: `${heights[row]}px` }}
        >
          <span class="wonda-unseen">{`${rows[row]}, ${columns[at]}: `}</span>not planned
        </div>
      );
    return Array.from({ length: total }, (_, place) => {
      const index = first + place;
      const inCell = placeInCell(layout.value, place);
      return (
        <Card
          key={index}
          left={label + at * column + inCell.left}
          top={inCell.top}
          hasText={false}
          {...cardProps(index)}
        />
      );
    });
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a table cannot be laid out in virtual rows
    <div
      class="wonda-grid wonda-axis-grid"
      ref={grid}
      role="grid"
      aria-multiselectable="true"
      aria-label="Images"
      aria-rowcount={rows.length + (hasHeader ? 1 : 0)}
      aria-colcount={columns.length + (label ? 1 : 0)}
      hidden={hidden}
      onScroll={onScroll}
    >
      {hasHeader && (
        // biome-ignore lint/a11y/useSemanticElements: see above
        // biome-ignore lint/a11y/useFocusableInteractive: a heading does nothing
        <div
          role="row"
          aria-rowindex={1}
          class="wonda-axis-header"
          style={{ width: `${layout.value.width}px`, height: `${HEADER_HEIGHT}px` }}
        >
          {label > 0 && (
            // biome-ignore lint/a11y/useSemanticElements: see above
            // biome-ignore lint/a11y/useFocusableInteractive: it is empty
            <div role="gridcell" class="wonda-axis-corner" style={{ width: `${label}px` }} />
          )}
          {shownColumns.map((at) => (
            // biome-ignore lint/a11y/useSemanticElements: see above
            // biome-ignore lint/a11y/useFocusableInteractive: a heading does nothing
            <div
              key={at}
              role="columnheader"
              dir="auto"
              title={columns[at]}
              style={{ left: `${label + at * column}px`, width: `${column - GAP}px` }}
            >
              {columns[at]}
            </div>
          ))}
        </div>
      )}
      <div
        class="wonda-axis-canvas"
        role="presentation"
        style={{
          width: `${layout.value.width}px`,
          height: `${layout.value.height}px`,
          ...cardSize(card, image),
        }}
      >
        {shownRows.map((row) => (
          // biome-ignore lint/a11y/useSemanticElements: see above
          // biome-ignore lint/a11y/useFocusableInteractive: its cards can be focused
          <div
            key={row}
            role="row"
            aria-rowindex={row + (hasHeader ? 2 : 1)}
            class="wonda-axis-row"
            style={{ transform: `translateY(${tops[row]}px)`, height: `${heights[row]}px` }}
          >
            {label > 0 && (
              // biome-ignore lint/a11y/useSemanticElements: see above
              // biome-ignore lint/a11y/useFocusableInteractive: a heading does nothing
              <div
                role="rowheader"
                dir="auto"
                title={rows[row]}
                style={{ width: `${label}px`, height: `${heights[row]}px` }}
              >
                <span>{rows[row]}</span>
              </div>
            )}
            {shownColumns.map((at) => cell(row, at))}
          </div>
        ))}
      </div>
    </div>
  );
}

/** The numbers of a range, and one more, in order. */
function indexes([first, last]: readonly [number, number], one: number): number[] {
  const range = Array.from({ length: last - first + 1 }, (_, at) => first + at);
  if (one < first) return [one, ...range];
  return one > last ? [...range, one] : range;
}
