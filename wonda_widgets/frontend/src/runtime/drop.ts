// Files that are dropped on an element.

import type { RefObject } from "preact";

/**
 * The events of an element on which files can be dropped; `marked` gets the class `wonda-on` while
 * files are over it. Without `take`, files are left to others.
 */
export function fileDrop(
  marked: RefObject<HTMLElement | null>,
  take: ((files: FileList) => void) | null,
) {
  const onDrag = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes("Files") || !marked.current || !take) return;
    event.preventDefault();
    event.stopPropagation();
    marked.current.classList.toggle("wonda-on", event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer.files);
  };
  return { onDragOver: onDrag, onDragLeave: onDrag, onDrop: onDrag };
}
