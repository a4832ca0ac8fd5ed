// Text that is typed into a control and belongs to a value that may change elsewhere.

import { type Signal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { hasFocus } from "./dom";

/** The text of a control. It follows `value`, but what is being typed is never overwritten. */
export function useTyped(value: string, control: RefObject<HTMLElement | null>): Signal<string> {
  const text = useSignal(value);
  useLayoutEffect(() => {
    if (!hasFocus(control.current)) text.value = value;
  }, [value, control, text]);
  return text;
}
