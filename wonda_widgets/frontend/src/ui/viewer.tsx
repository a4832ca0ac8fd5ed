// An image that can be zoomed with the wheel, two fingers or + and −, and dragged.
//
// Own code instead of a library: it works with the keyboard, and several images move in sync.

import { useEffect, useRef } from "preact/hooks";
import type { ViewState } from "../logic/view_state";
import { classes, targetOf } from "../runtime/dom";
import { isPlain, useHotkeys } from "../runtime/keys";
import { Button } from "./button";

const KEY_ZOOM = 1.3;
const BUTTON_ZOOM = 1.5;
const DOUBLE_CLICK_ZOOM = 3;
const PAN_STEP = 0.1; // of the image
const WHEEL_PIXELS = 300; // for a zoom by the factor e

interface Props {
  view: ViewState;
  /** The accessible name. */
  label: string;
  src: string;
  alt: string;
  /** Shown over the image. */
  message: string;
  onLoad?: (img: HTMLImageElement) => void;
  elementRef?: (element: HTMLDivElement | null) => void;
}

type Point = { x: number; y: number };

export function Viewer({ view, label, src, alt, message, onLoad, elementRef }: Props) {
  const node = useRef<HTMLDivElement | null>(null);
  const img = useRef<HTMLImageElement>(null);
  const fingers = useRef(new Map<number, Point>());

  /** A position relative to the center of the unscaled image, and the size of that image. */
  const within = (event: { clientX: number; clientY: number }) => {
    const box = img.current?.getBoundingClientRect() ?? new DOMRect(0, 0, 1, 1);
    const scale = view.scale.peek();
    const [width, height] = [box.width / scale, box.height / scale];
    const middle = { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    return {
      x: (event.clientX - middle.x) / width - scale * view.x.peek(),
      y: (event.clientY - middle.y) / height - scale * view.y.peek(),
      width,
      height,
    };
  };
  useEffect(() => {
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const at = within(event);
      view.zoom(Math.exp(-event.deltaY / WHEEL_PIXELS), at.x, at.y);
    };
    const element = node.current;
    element?.addEventListener("wheel", onWheel, { passive: false });
    return () => element?.removeEventListener("wheel", onWheel);
  }, [view]);

  const moves: Record<string, () => void> = {
    "+": () => view.zoom(KEY_ZOOM),
    "=": () => view.zoom(KEY_ZOOM),
    "-": () => view.zoom(1 / KEY_ZOOM),
    "0": () => view.reset(),
  };
  const pans: Record<string, () => void> = {
    ArrowLeft: () => view.pan(PAN_STEP, 0),
    ArrowRight: () => view.pan(-PAN_STEP, 0),
    ArrowUp: () => view.pan(0, PAN_STEP),
    ArrowDown: () => view.pan(0, -PAN_STEP),
  };
  useHotkeys({
    matches: (event) => targetOf(event) === node.current && isPlain(event),
    act: (event) => {
      const act = moves[event.key] ?? (view.isZoomed ? pans[event.key] : undefined);
      if (!act) return false;
      act();
    },
    repeats: true,
  });

  const onPointerMove = (event: PointerEvent) => {
    const from = fingers.current.get(event.pointerId);
    if (!from) return;
    const to = { x: event.clientX, y: event.clientY };
    const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const distance = (at: Point) => Math.hypot(at.x - other.x, at.y - other.y) || 1;
      view.zoom(distance(to) / distance(from));
    } else if (view.isZoomed) {
      const { width, height } = within(event);
      view.pan((to.x - from.x) / width, (to.y - from.y) / height);
    }
    fingers.current.set(event.pointerId, to);
  };
  const release = (event: PointerEvent) => fingers.current.delete(event.pointerId);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group that can be focused, with its own keys
    <div
      ref={(element) => {
        node.current = element;
        elementRef?.(element);
      }}
      class={classes("wonda-viewer", view.isZoomed && "wonda-zoomed")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it has keys to zoom and pan
      tabIndex={0}
      role="group"
      aria-label={label}
      onDblClick={(event) => {
        const at = within(event);
        if (view.isZoomed) view.reset();
        else view.zoom(DOUBLE_CLICK_ZOOM, at.x, at.y);
      }}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        fingers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={onPointerMove}
      onPointerUp={release}
      onPointerCancel={release}
    >
      <img
        ref={img}
        src={src || undefined}
        hidden={!src}
        alt={alt}
        draggable={false}
        style={{
          transform: `scale(${view.scale}) translate(${-100 * view.x.value}%, ${-100 * view.y.value}%)`,
        }}
        onLoad={(event) => onLoad?.(event.currentTarget)}
      />
      <p class="wonda-veil" role="status">
        {message}
      </p>
    </div>
  );
}

/** Buttons to zoom without a wheel or keys. */
export function ZoomButtons({ view, hidden }: { view: ViewState; hidden?: boolean }) {
  return (
    <span class="wonda-buttons" hidden={hidden}>
      <Button small repeats label="Zoom out" onPress={() => view.zoom(1 / BUTTON_ZOOM)}>
        −
      </Button>
      <Button small repeats label="Zoom in" onPress={() => view.zoom(BUTTON_ZOOM)}>
        +
      </Button>
      <Button small label="Fit the whole image" onPress={() => view.reset()}>
        Fit
      </Button>
    </span>
  );
}
