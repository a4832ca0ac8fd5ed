// Keys that a panel handles before the notebook does.
//
// The notebook listens on the document and in the capture phase. Only a listener on the window
// comes before it.

import { useEffect, useRef } from "preact/hooks";
import { usePanel } from "./context";
import { isWithin, targetOf } from "./dom";

/** Keys for which `matches` is true, and what they do. */
export interface Hotkey {
  matches: (event: KeyboardEvent) => boolean;
  /** Return false to leave the key to others. */
  act: (event: KeyboardEvent) => unknown;
  /** Whether a key that is held down acts again and again. */
  repeats?: boolean;
}

export const isSubmit = (event: KeyboardEvent): boolean =>
  event.key === "Enter" && (event.ctrlKey || event.metaKey);
export const isEscape = (event: KeyboardEvent): boolean => event.key === "Escape";
export const isPlain = (event: KeyboardEvent): boolean =>
  !event.ctrlKey && !event.metaKey && !event.altKey;

/** Handle keys that are pressed inside the panel. */
export function useHotkeys(...hotkeys: Hotkey[]): void {
  const panel = usePanel();
  const latest = useRef(hotkeys);
  latest.current = hotkeys;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.isComposing || !panel.isMounted || !isWithin(event, panel.root)) return;
      for (const { matches, act, repeats } of latest.current) {
        if (!matches(event)) continue;
        if ((repeats || !event.repeat) && act(event) === false) continue;
        event.preventDefault();
        event.stopImmediatePropagation();
        return;
      }
    };
    window.addEventListener("keydown", listen, { capture: true });
    return () => window.removeEventListener("keydown", listen, { capture: true });
  }, [panel]);
}

/**
 * Keep the notebook from handling plain keys inside `root` as its own shortcuts.
 *
 * When a select or a button has the focus, an arrow would move to another cell and an "x" would
 * cut this one. Return a function that ends it.
 */
export function suppressNotebookShortcuts(root: HTMLElement): () => void {
  const suppress = (event: KeyboardEvent) => {
    if (!isWithin(event, root)) return;
    const target = targetOf(event);
    // JupyterLab ignores a key if its target or an element around it has this attribute.
    target.toggleAttribute("data-lm-suppress-shortcuts", isPlain(event));
    // A key that is held down presses a button only once.
    if (event.repeat && target.tagName === "BUTTON") event.preventDefault();
  };
  // Other front ends listen on an element around the panel.
  const contain = (event: KeyboardEvent) => isPlain(event) && event.stopPropagation();
  window.addEventListener("keydown", suppress, { capture: true });
  root.addEventListener("keydown", contain);
  return () => {
    window.removeEventListener("keydown", suppress, { capture: true });
    root.removeEventListener("keydown", contain);
  };
}
