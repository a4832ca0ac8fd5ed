// Fills a form from the settings in a saved image: dropped on the prompt, or chosen.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { usePanel } from "../runtime/context";
import { useDelivery } from "../runtime/delivery";
import { focusedElement, hasFocus } from "../runtime/dom";
import { fileDrop } from "../runtime/drop";
import { Button } from "./button";

const MAX_BYTES = 8_000_000; // a front end's websocket accepts messages of up to 10 MB
const HEAD = 2_000_000; // of a larger PNG or JPEG, which has its metadata there

export interface SavedFileTraits {
  file_note: string;
}

/** Send a file's settings to the kernel; return what is wrong with the file. */
export function useSavedFile() {
  const panel = usePanel<SavedFileTraits>();
  const delivery = useDelivery();
  const problem = useSignal("");
  const read = async (file: File | undefined) => {
    if (!file) return;
    problem.value = "";
    if (file.size > MAX_BYTES && file.type === "image/webp") {
      problem.value = `${file.name} is larger than 8 MB. Use ww.PromptForm.from_file(path).`;
      return;
    }
    try {
      const part = file.size > MAX_BYTES ? file.slice(0, HEAD) : file;
      delivery.send({ type: "saved_file", name: file.name }, [await part.arrayBuffer()]);
    } catch {
      problem.value = `${file.name} cannot be read. Choose it again.`;
    }
  };
  const note = panel.get("file_note");
  return { read, problem: problem.value, note, undo: () => panel.send({ type: "undo_file" }) };
}

type SavedFile = ReturnType<typeof useSavedFile>;

/** The link that chooses a file. */
export function ChooseSavedFile({ file }: { file: SavedFile }) {
  return (
    <span class="wonda-saved-file">
      <input
        type="file"
        accept="image/png,image/jpeg,image/webp"
        class="wonda-file"
        aria-label="Fill in from a saved image"
        onChange={({ currentTarget }) => {
          file.read(currentTarget.files?.[0]);
          currentTarget.value = "";
        }}
      />
      <span aria-hidden="true">Fill in from an image…</span>
    </span>
  );
}

/** The area on which a file can be dropped. */
export function DropSavedFile({
  onDrop,
  children,
}: {
  onDrop: (file: File) => void;
  children: ComponentChildren;
}) {
  const box = useRef<HTMLDivElement>(null);
  const drop = ([first]: FileList) => {
    if (!first) return;
    // While a field has the focus, its text does not follow the kernel.
    if (hasFocus(box.current)) (focusedElement(box.current as Node) as HTMLElement).blur();
    onDrop(first);
  };
  return (
    <div ref={box} class="wonda-drop-settings" {...fileDrop(box, drop)}>
      {children}
    </div>
  );
}

/** What was filled in, and Undo. */
export function SavedFileNote({ file }: { file: SavedFile }) {
  return (
    <div class="wonda-file-note" role="status" hidden={!file.note && !file.problem}>
      <span>{file.problem || file.note}</span>
      <Button small hidden={!file.note} onPress={file.undo}>
        Undo
      </Button>
    </div>
  );
}
