// The layout of a gallery's cards: rows under the headings of their groups.
//
// Own code instead of a virtual list library: all heights are known in advance, so that nothing is
// measured and the visible rows are found by one binary search.

const MIN_CARD_WIDTH = 140; // pixels
const USUAL_CARD_WIDTH = 190;
const MAX_CARD_WIDTH = 280;
export const GAP = 12; // pixels between cards
export const TEXT_HEIGHT = 44; // pixels under each image
export const HEADING_HEIGHT = 40; // pixels of a group's heading

/** Images with a common heading; the heading may be empty. */
export interface Group {
  title: string;
  count: number;
}

/** A row at a vertical position in pixels: a heading, or cards from the index `first`. */
export type GridRow = { top: number; height: number; count: number } & (
  | { title: string; first?: undefined }
  | { title?: undefined; first: number }
);

export type CardRow = Extract<GridRow, { first: number }>;

export interface GridLayout {
  columns: number;
  /** The width of a card and the height of its image, pixels. */
  card: number;
  image: number;
  rows: GridRow[];
  /** The height of all rows, pixels. */
  height: number;
  /** The number of cards. */
  count: number;
}

export const isCardRow = (row: GridRow): row is CardRow => row.first !== undefined;

/** Lay out groups in a width (pixels); `ratio` is width divided by height of each image. */
export function layOut(groups: Group[], width: number, ratio: number): GridLayout {
  const columnsOf = (card: number) => Math.max(1, Math.floor((width + GAP) / (card + GAP)));
  const largest = Math.max(1, ...groups.map(({ count }) => count));
  // A whole group in one row, if its images are still large enough.
  const columns =
    largest <= columnsOf(MIN_CARD_WIDTH)
      ? Math.max(largest, columnsOf(MAX_CARD_WIDTH))
      : Math.max(columnsOf(USUAL_CARD_WIDTH), Math.min(2, columnsOf(MIN_CARD_WIDTH)));
  const card = Math.min(MAX_CARD_WIDTH, Math.floor((width - GAP * (columns - 1)) / columns));
  const image = Math.round(card / ratio);
  const height = image + TEXT_HEIGHT;
  const rows: GridRow[] = [];
  let top = 0;
  let first = 0;
  for (const { title, count } of groups) {
    if (title) {
      rows.push({ top, height: HEADING_HEIGHT, title, count });
      top += HEADING_HEIGHT;
    }
    for (let at = 0; at < count; at += columns) {
      rows.push({ top, height, first: first + at, count: Math.min(columns, count - at) });
      top += height + GAP;
    }
    first += count;
  }
  return { columns, card, image, rows, height: top, count: first };
}

/** The index of the last row that begins at or above `y` (pixels). */
export function rowAt(rows: GridRow[], y: number): number {
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((rows[middle]?.top ?? 0) <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The index of the row that contains a card; -1 if there is none. */
export const rowOfCard = (rows: GridRow[], card: number): number =>
  rows.findIndex((row) => isCardRow(row) && card >= row.first && card < row.first + row.count);

/** The card above (`step` -1) or below (1) a card, even across headings. */
export function cardInNextRow(rows: GridRow[], card: number, step: number): number {
  const cards = rows.filter(isCardRow);
  const at = rowOfCard(cards, card);
  const [row, next] = [cards[at], cards[at + step]];
  return row && next ? next.first + Math.min(card - row.first, next.count - 1) : card;
}
