// The crop frame over the image; frame and handles can be moved by mouse, touch and keyboard.
//
// Own code instead of a library: every handle is a button that the arrow keys move by a pixel.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { clamp } from "../../logic/clamp";
import { type Crop, type Handle, moveCrop, type Size } from "../../logic/crop";
import { useUid } from "../../runtime/context";
import { classes, targetOf } from "../../runtime/dom";
import { useHotkeys } from "../../runtime/keys";

const HANDLES: [handle: Handle, name: string][] = [
  ["", "Crop area"],
  ["nw", "Top left corner"],
  ["n", "Top edge"],
  ["ne", "Top right corner"],
  ["e", "Right edge"],
  ["se", "Bottom right corner"],
  ["s", "Bottom edge"],
  ["sw", "Bottom left corner"],
  ["w", "Left edge"],
];

const DIRECTIONS: Record<string, [dx: number, dy: number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

interface Props {
  crop: Crop;
  /** The size of the image, pixels. */
  size: Size;
  /** The ratio that the crop keeps; null for none. */
  shape: Size | null;
  hidden: boolean;
  inert: boolean;
  onMove: (crop: Crop) => void;
}

export function CropFrame({ crop, size, shape, hidden, inert, onMove }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const keysId = useUid("keys");
  const said = useSignal("");
  useHotkeys({
    matches: (event) => event.key in DIRECTIONS,
    act: (event) => {
      const target = targetOf(event);
      const [dx, dy] = DIRECTIONS[event.key] ?? [0, 0];
      if (!frame.current?.contains(target) || !(target instanceof HTMLElement)) return false;
      const step = event.shiftKey ? 10 : 1;
      const handle = (target.dataset.at ?? "") as Handle;
      const next = moveCrop(crop, handle, dx * step, dy * step, size, shape);
      said.value = `${next.width} × ${next.height} at ${next.x}, ${next.y}`;
      onMove(next);
    },
    repeats: true,
  });
  const grab = (event: PointerEvent, handle: Handle) => {
    if (event.button !== 0 || !frame.current) return;
    const scale = size[0] / frame.current.getBoundingClientRect().width;
    const target = event.currentTarget as HTMLElement;
    const drag = (now: PointerEvent) => {
      const dx = Math.round((now.clientX - event.clientX) * scale);
      const dy = Math.round((now.clientY - event.clientY) * scale);
      onMove(moveCrop(crop, handle, dx, dy, size, shape));
    };
    target.setPointerCapture(event.pointerId);
    target.addEventListener("pointermove", drag);
    const end = () => target.removeEventListener("pointermove", drag);
    target.addEventListener("lostpointercapture", end, { once: true });
  };
  const place = placeOf(crop, size);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would need a visible legend
    <div
      class="wonda-crop"
      ref={frame}
      role="group"
      aria-label="Crop frame"
      hidden={hidden}
      inert={inert}
    >
      <div class="wonda-crop-shade">
        <div class="wonda-crop-hole" style={place} />
      </div>
      <div class={classes("wonda-crop-box", shape && "wonda-shaped")} style={place}>
        {HANDLES.map(([handle, name]) => (
          <button
            key={handle}
            type="button"
            class={handle ? "wonda-handle" : "wonda-area"}
            data-at={handle}
            aria-label={name}
            aria-describedby={keysId}
            onPointerDown={(event) => grab(event, handle)}
          />
        ))}
      </div>
      <span class="wonda-unseen" id={keysId}>
        Arrow keys move the frame by 1 pixel, with Shift by 10.
      </span>
      <span class="wonda-unseen" role="status">
        {said}
      </span>
    </div>
  );
}

/** The crop as CSS. Typed numbers may exceed the image; the frame does not. */
function placeOf(crop: Crop, [width, height]: Size) {
  const part = (value: number, whole: number) => clamp(value / whole, 0, 1);
  const [left, right] = [part(crop.x, width), part(crop.x + crop.width, width)];
  const [top, bottom] = [part(crop.y, height), part(crop.y + crop.height, height)];
  return {
    left: `${left * 100}%`,
    top: `${top * 100}%`,
    width: `${(right - left) * 100}%`,
    height: `${(bottom - top) * 100}%`,
  };
}
