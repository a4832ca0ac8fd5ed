// The layout of a grid with two axes: which cells are visible, and where each image is.

import { GAP } from "./grid_layout";

const MIN_IMAGE_WIDTH = 72; // pixels
const MAX_IMAGE_WIDTH = 220;
const MAX_ACROSS = 4; // images side by side in a cell
const INNER_GAP = 4; // pixels between the images of a cell
const LABEL_SHARE = 0.18; // of the width, for the labels of the rows
const MIN_LABEL_WIDTH = 88; // pixels
const MAX_LABEL_WIDTH = 160;
export const HEADER_HEIGHT = 44; // pixels of the labels of the columns

/** What the kernel sends of a grid, see `ImageGrid.grid`. */
export interface AxisGrid {
  row_fact?: string;
  column_fact?: string;
  rows?: string[];
  columns?: string[];
  counts?: number[][];
}

export interface AxisLayout {
  /** The width and height of an image, pixels. */
  card: number;
  image: number;
  /** How many images are side by side in a cell. */
  across: number;
  /** The width of the row labels, of a column, and of everything, pixels. */
  label: number;
  column: number;
  width: number;
  /** The top and the height of each row, pixels, below the header. */
  tops: number[];
  heights: number[];
  height: number;
  /** The index of the first image of each cell, and of the image after the last one. */
  starts: number[][];
  counts: number[][];
  count: number;
}

/** Lay out a grid in a width (pixels); `ratio` is width divided by height of each image. */
export function layOutAxes(grid: AxisGrid, width: number, ratio: number): AxisLayout {
  const counts = grid.counts ?? [];
  const columns = Math.max(1, grid.columns?.length ?? 0);
  const most = Math.max(1, ...counts.map((row) => row.reduce((a, b) => Math.max(a, b), 0)));
  const across = Math.min(most, MAX_ACROSS);
  const hasLabels = (grid.rows?.length ?? 0) > 1;
  const wanted = Math.round(width * LABEL_SHARE);
  const label = hasLabels ? Math.min(MAX_LABEL_WIDTH, Math.max(MIN_LABEL_WIDTH, wanted)) : 0;
  const cell = (width - label) / columns - GAP;
  const card = Math.floor(
    Math.min(
      MAX_IMAGE_WIDTH,
      Math.max(MIN_IMAGE_WIDTH, (cell - INNER_GAP * (across - 1)) / across),
    ),
  );
  const image = Math.round(card / ratio);
  const column = across * (card + INNER_GAP) - INNER_GAP + GAP;
  const tops: number[] = [];
  const heights: number[] = [];
  const starts: number[][] = [];
  let [top, index] = [0, 0];
  for (const row of counts) {
    const lines = Math.max(1, ...row.map((count) => Math.ceil(count / across)));
    tops.push(top);
    heights.push(lines * (image + INNER_GAP) - INNER_GAP);
    top += lines * (image + INNER_GAP) - INNER_GAP + GAP;
    starts.push(
      row.map((count) => {
        index += count;
        return index - count;
      }),
    );
  }
  const full = label + columns * column;
  return {
    ...{ card, image, across, label, column, width: full, tops, heights, height: top },
    ...{ starts, counts, count: index },
  };
}

/** The place of an image in its cell, pixels. */
export const placeInCell = ({ across, card, image }: AxisLayout, at: number) => ({
  left: (at % across) * (card + INNER_GAP),
  top: Math.floor(at / across) * (image + INNER_GAP),
});

/** The last row that begins at or above `y` (pixels). */
export function axisRowAt({ tops }: AxisLayout, y: number): number {
  let [low, high] = [0, Math.max(0, tops.length - 1)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((tops[middle] ?? 0) <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The row and column of an image, and its place in the cell. */
export function cellOf({ starts, counts }: AxisLayout, index: number): [number, number, number] {
  for (const [row, firsts] of starts.entries()) {
    const last = firsts.at(-1) ?? 0;
    if (index >= last + (counts[row]?.at(-1) ?? 0)) continue;
    for (const [column, first] of firsts.entries())
      if (index >= first && index < first + (counts[row]?.[column] ?? 0))
        return [row, column, index - first];
  }
  return [0, 0, 0];
}

/** The image above (`step` -1) or below (1), in the same column; empty cells are skipped. */
export function imageInNextRow(layout: AxisLayout, index: number, step: number): number {
  const { across, starts, counts } = layout;
  const [row, column, at] = cellOf(layout, index);
  const inCell = at + step * across; // another line of the same cell
  if (inCell >= 0 && inCell < (counts[row]?.[column] ?? 0)) return index + step * across;
  for (let next = row + step; next >= 0 && next < counts.length; next += step) {
    const count = counts[next]?.[column] ?? 0;
    if (!count) continue;
    const lines = Math.ceil(count / across);
    const line = step > 0 ? 0 : lines - 1;
    return (starts[next]?.[column] ?? 0) + Math.min(count - 1, line * across + (at % across));
  }
  return index;
}

/** The windows of images in the rows and columns from `top` to `bottom` and `left` to `right`. */
export function windowsOf(
  { starts, counts }: AxisLayout,
  [top, bottom]: readonly [number, number],
  [left, right]: readonly [number, number],
): [number, number][] {
  const windows: [number, number][] = [];
  for (let row = top; row <= bottom; row++) {
    const first = starts[row]?.[left];
    const last = starts[row]?.[right];
    if (first === undefined || last === undefined) continue;
    const end = last + (counts[row]?.[right] ?? 0);
    if (end > first) windows.push([first, end]);
  }
  return windows;
}
