// The focus, when a rendering hides, moves or removes the element that has it.

import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { focusedElement } from "./dom";

/** The element in `box` that had the focus before this rendering; null if none had. */
export function useFocusBefore(box: RefObject<HTMLElement | null>): RefObject<HTMLElement | null> {
  const held = useRef<HTMLElement | null>(null);
  const focused = box.current && focusedElement(box.current);
  held.current = focused && box.current?.contains(focused) ? (focused as HTMLElement) : null;
  return held;
}

/** Return a function that moves the focus after the next rendering, which may show the target. */
export function useFocusLater(): (target: () => HTMLElement | null | undefined) => void {
  const wanted = useRef<(() => HTMLElement | null | undefined) | null>(null);
  useLayoutEffect(() => {
    const target = wanted.current;
    wanted.current = null;
    target?.()?.focus({ preventScroll: true });
  });
  return (target) => {
    wanted.current = target;
  };
}
