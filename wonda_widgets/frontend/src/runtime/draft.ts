// Text that is being typed: sent after a short pause, and never overwritten meanwhile.

import {
  computed,
  type ReadonlySignal,
  type Signal,
  useSignal,
  useSignalEffect,
} from "@preact/signals";
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

interface Options {
  delay?: number;
  onInput?: () => void;
}

/** Bind a text control to a trait; what is typed is sent after `delay` milliseconds. */
export function useDraft<C extends TextControl>(name: string, options: Options = {}): Draft<C> {
  const panel = usePanel<Record<string, unknown>>();
  const trait = panel.trait(name);
  const value = useMemo(() => computed(() => String(trait.value)), [trait]);
  return useDraftOf<C>(value, (text) => panel.set({ [name]: text }), options);
}

/** Bind a text control to a value that `set` changes, such as a part of a trait. */
export function useDraftOf<C extends TextControl>(
  kept: ReadonlySignal<string>,
  set: (text: string) => void,
  { delay = 400, onInput }: Options = {},
): Draft<C> {
  const text = useSignal(kept.peek());
  const ref = useRef<C | null>(null);
  const isUnsent = useSignal(false);
  const latestSet = useRef(set);
  latestSet.current = set;
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  useSignalEffect(() => {
    const value = kept.value;
    if (!hasFocus(ref.current)) text.value = value;
  });
  const save = useMemo(
    () => () => {
      clearTimeout(timer.current);
      isUnsent.value = false;
      if (kept.peek() !== text.peek()) latestSet.current(text.peek());
    },
    [kept, text, isUnsent],
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
        if (!isUnsent.peek()) text.value = kept.peek();
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
