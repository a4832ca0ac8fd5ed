// The geometry of crops and canvases, in whole pixels. Pure functions.

// Width and height as whole numbers, so that 4:5 is computed to the pixel.
const SHAPES = { "1:1": [1, 1], "4:5": [4, 5], "1.91:1": [191, 100], "9:16": [9, 16], "16:9": [16, 9] };
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** The largest centered crop with an aspect ratio; rounded as in Python's `centered_crop`. */
function cropOf([width, height], [a, b]) {
  let wide, high;
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
function canvasOf([width, height], [a, b]) {
  const [across, down] = a >= b ? [Math.floor, Math.ceil] : [Math.ceil, Math.floor];
  return width * b < height * a
    ? { width: Math.max(width, across((height * a) / b)), height }
    : { width, height: Math.max(height, down((width * b) / a)) };
}

/** A crop after moving a handle ("nw", "e", …) or the whole frame ("") by whole pixels. */
function moved(crop, at, dx, dy, [width, height], shape) {
  if (!at) {
    const x = clamp(crop.x + dx, 0, width - crop.width);
    return { ...crop, x, y: clamp(crop.y + dy, 0, height - crop.height) };
  }
  const west = at.includes("w");
  const north = at.includes("n");
  const right = crop.x + crop.width;
  const bottom = crop.y + crop.height;
  // The opposite side is fixed; this is the space up to the edge of the image.
  const roomX = west ? right : width - crop.x;
  const roomY = north ? bottom : height - crop.y;
  const growX = west ? -dx : dx;
  const growY = north ? -dy : dy;
  let wide = crop.width;
  let high = crop.height;
  if (shape) {
    const [a, b] = shape;
    const grow = Math.abs(growX) * b >= Math.abs(growY) * a ? growX : Math.round((growY * a) / b);
    wide = clamp(wide + grow, 1, Math.min(roomX, Math.floor((roomY * a) / b)));
    high = clamp((a >= b ? Math.ceil : Math.floor)((wide * b) / a), 1, roomY);
  } else {
    if (/[we]/.test(at)) wide = clamp(wide + growX, 1, roomX);
    if (/[ns]/.test(at)) high = clamp(high + growY, 1, roomY);
  }
  return { x: west ? right - wide : crop.x, y: north ? bottom - high : crop.y, width: wide, height: high };
}
