// A small drawing of an aspect ratio.

const SIZE = 20; // pixels, longest side
const MIN_SIDE = 5; // pixels

/** Draw a ratio such as "4:5". */
export function ShapeIcon({ ratio }: { ratio: string }) {
  const [wide = 1, high = 1] = ratio.split(":").map(Number);
  const scale = SIZE / Math.max(wide, high);
  const side = (length: number) => `${Math.max(MIN_SIDE, length * scale)}px`;
  return <i style={{ width: side(wide), height: side(high) }} />;
}
