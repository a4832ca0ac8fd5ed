// The layout of a gallery's cards: rows under the headings of their groups. Pure functions.

const CARD_WIDTHS = [140, 190, 280]; // pixels: minimum, usual, maximum
const GAP = 12; // pixels between cards
const TEXT_HEIGHT = 44; // pixels under each image
const HEADING_HEIGHT = 40; // pixels of a group's heading

/**
 * Lay out groups in a width (pixels); `ratio` is width divided by height of each image.
 * Each row has { top, height } and either { title, count } or { first, count }.
 */
function layOut(groups, width, ratio) {
  const [least, usual, most] = CARD_WIDTHS;
  const columnsOf = (card) => Math.max(1, Math.floor((width + GAP) / (card + GAP)));
  const largest = Math.max(1, ...groups.map(({ count }) => count));
  // A whole group in one row, if its images are still large enough.
  const columns =
    largest <= columnsOf(least)
      ? Math.max(largest, columnsOf(most))
      : Math.max(columnsOf(usual), Math.min(2, columnsOf(least)));
  const card = Math.min(most, Math.floor((width - GAP * (columns - 1)) / columns));
  const image = Math.round(card / ratio);
  const height = image + TEXT_HEIGHT;
  const rows = [];
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
function rowAt(rows, y) {
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (rows[middle].top <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}
