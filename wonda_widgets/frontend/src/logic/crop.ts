// The geometry of crops and canvases, in whole pixels.

import { clamp } from "./clamp";

export type Size = [width: number, height: number];
export interface Crop {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Width and height as whole numbers, so that 4:5 is computed to the pixel. */
export const SHAPES: Record<string, Size> = {
  "1:1": [1, 1],
  "4:5": [4, 5],
  "1.91:1": [191, 100],
  "9:16": [9, 16],
  "16:9": [16, 9],
};

/** The largest centered crop with an aspect ratio; rounded as in Python's `centered_crop`. */
export function centeredCrop([width, height]: Size, [a, b]: Size): Crop {
  let wide: number;
  let high: number;
  if (a >= b) {
    high = Math.min(height, Math.floor((width * b) / a));
    wide = Math.min(width, Math.floor((high * a) / b));
  } else {
    wide = Math.min(width, Math.floor((height * a) / b));
    high = Math.min(height, Math.floor((wide * b) / a));
  }
  const x = Math.floor((width - wide) / 2);
  const y = Math.floor((height - high) / 2);
  return { x, y, width: Math.max(1, wide), height: Math.max(1, high) };
}

/** The smallest canvas of a shape that contains the image; rounded as in Python's `padded`. */
export function paddedCanvas([width, height]: Size, [a, b]: Size): Pick<Crop, "width" | "height"> {
  const [across, down] = a >= b ? [Math.floor, Math.ceil] : [Math.ceil, Math.floor];
  return width * b < height * a
    ? { width: Math.max(width, across((height * a) / b)), height }
    : { width, height: Math.max(height, down((width * b) / a)) };
}

/** A handle of the crop frame; empty for the whole frame. */
export type Handle = "" | "nw" | "n" | "ne" | "e" | "se" | "s" | "sw" | "w";

/** A crop after moving a handle or the whole frame by whole pixels. */
export function moveCrop(
  crop: Crop,
  handle: Handle,
  dx: number,
  dy: number,
  [width, height]: Size,
  shape: Size | null,
): Crop {
  if (!handle) {
    const x = clamp(crop.x + dx, 0, width - crop.width);
    return { ...crop, x, y: clamp(crop.y + dy, 0, height - crop.height) };
  }
  const west = handle.includes("w");
  const north = handle.includes("n");
  const right = crop.x + crop.width;
  const bottom = crop.y + crop.height;
  // The opposite side is fixed; these are the distances from it to the edge of the image.
  const maxWidth = west ? right : width - crop.x;
  const maxHeight = north ? bottom : height - crop.y;
  const growX = west ? -dx : dx;
  const growY = north ? -dy : dy;
  let wide = crop.width;
  let high = crop.height;
  if (shape) {
    const [a, b] = shape;
    const grow = Math.abs(growX) * b >= Math.abs(growY) * a ? growX : Math.round((growY * a) / b);
    wide = clamp(wide + grow, 1, Math.min(maxWidth, Math.floor((maxHeight * a) / b)));
    high = clamp((a >= b ? Math.ceil : Math.floor)((wide * b) / a), 1, maxHeight);
  } else {
    if (/[we]/.test(handle)) wide = clamp(wide + growX, 1, maxWidth);
    if (/[ns]/.test(handle)) high = clamp(high + growY, 1, maxHeight);
  }
  return {
    x: west ? right - wide : crop.x,
    y: north ? bottom - high : crop.y,
    width: wide,
    height: high,
  };
}

/** The name of the shape that a size has exactly; undefined if there is none. */
export function shapeOf({ width, height }: Pick<Crop, "width" | "height">): string | undefined {
  return Object.keys(SHAPES).find((name) => {
    const exact = centeredCrop([width, height], SHAPES[name] ?? [1, 1]);
    return exact.width === width && exact.height === height;
  });
}
