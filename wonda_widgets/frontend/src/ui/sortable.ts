// Tiles that can be reordered by dragging one onto another, or with their buttons.
//
// Own code instead of a library: the buttons serve keyboards and touch screens, which drag and
// drop libraries do not, so that only these few events of native drag and drop remain.

import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { hasFocus } from "../runtime/dom";
import { useFocusBefore } from "../runtime/focus";

type Drag = DragEvent & { currentTarget: HTMLElement };

/** The properties of a sortable tile; `onDrop` is called with the key of a tile dropped on it. */
export function sortable(kind: string, key: string, onDrop: (other: string) => void) {
  const leave = (event: Drag) => event.currentTarget.classList.remove("wonda-on");
  return {
    draggable: true,
    onDragStart({ dataTransfer }: Drag) {
      if (!dataTransfer) return;
      dataTransfer.setData(kind, key);
      dataTransfer.effectAllowed = "move";
    },
    onDragOver(event: Drag) {
      if (!event.dataTransfer?.types.includes(kind)) return;
      event.preventDefault();
      event.currentTarget.classList.add("wonda-on");
    },
    onDragLeave: leave,
    onDrop(event: Drag) {
      leave(event);
      const other = event.dataTransfer?.getData(kind);
      if (!other) return;
      event.preventDefault();
      event.stopPropagation();
      if (other !== key) onDrop(other);
    },
  };
}

/**
 * Keep the focus in a list whose tiles (`li`) are moved or removed.
 *
 * If the focused tile is removed, the button with the class `wonda-remove` of the tile that takes
 * its position gets the focus, or else `otherwise`.
 */
export function useFocusInList(
  list: RefObject<HTMLElement | null>,
  otherwise: () => HTMLElement | null,
): void {
  const held = useFocusBefore(list);
  const tile = held.current?.closest("li");
  const index = useRef(-1);
  index.current = tile ? [...(list.current?.children ?? [])].indexOf(tile) : -1;
  useLayoutEffect(() => {
    const items = list.current;
    if (!items || !held.current || hasFocus(items)) return;
    if (held.current.isConnected) {
      held.current.focus(); // moving a tile takes the focus from it
      return;
    }
    const tiles = items.querySelectorAll<HTMLElement>(":scope > li");
    const near = tiles[Math.min(index.current, tiles.length - 1)];
    (near?.querySelector<HTMLElement>(".wonda-remove") ?? otherwise())?.focus();
  });
}
