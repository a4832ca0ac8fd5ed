// Text that is being typed: sent after a short pause, and never overwritten meanwhile.

import { type Signal, useSignal, useSignalEffect } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { usePanel } from "./context";
import { hasFocus } from "./dom";

type TextControl = HTMLInputElement | HTMLTextAreaElement;

/** A text control whose value follows a trait, unless it has the focus. */
export interface Draft<C extends TextControl> {
  /** The text as typed. */
  text: Signal<string>;
  /** Whether the kernel does not have the text yet. */
  isUnsent: boolean;
  /** Send the text now. */
  save: () => void;
  /** The attributes of the control. */
  control: {
    ref: RefObject<C | null>;
    value: string;
    dir: "auto";
    onBlur: () => void;
    onInput: (event: Event) => void;
    onChange: () => void;
  };
}

/** Bind a text control to a trait; what is typed is sent after `delay` milliseconds. */
export function useDraft<C extends TextControl>(
  name: string,
  { delay = 400, onInput }: { delay?: number; onInput?: () => void } = {},
): Draft<C> {
  const panel = usePanel<Record<string, unknown>>();
  const trait = panel.trait(name);
  const text = useSignal(String(trait.peek()));
  const ref = useRef<C | null>(null);
  const isUnsent = useSignal(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  useSignalEffect(() => {
    const value = String(trait.value);
    if (!hasFocus(ref.current)) text.value = value;
  });
  const save = useMemo(
    () => () => {
      clearTimeout(timer.current);
      isUnsent.value = false;
      if (panel.peek(name) !== text.peek()) panel.set({ [name]: text.peek() });
    },
    [panel, name, text, isUnsent],
  );
  // What is typed is not lost with the panel.
  useEffect(
    () => () => {
      if (isUnsent.peek()) save();
    },
    [save, isUnsent],
  );
  return {
    text,
    isUnsent: isUnsent.value,
    save,
    control: {
      ref,
      value: text.value,
      dir: "auto",
      onBlur() {
        // The trait may have changed while the control had the focus.
        if (!isUnsent.peek()) text.value = String(trait.peek());
      },
      onInput(event) {
        text.value = (event.currentTarget as C).value;
        isUnsent.value = true;
        onInput?.();
        clearTimeout(timer.current);
        timer.current = setTimeout(save, delay);
      },
      onChange: save,
    },
  };
}
