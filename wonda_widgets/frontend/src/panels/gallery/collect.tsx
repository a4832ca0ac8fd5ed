// What is done with the selected images besides the actions: collections, and a zip file.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { saveBlob } from "../../runtime/bytes";
import { useMessages, usePanel } from "../../runtime/context";
import { useFocusLater } from "../../runtime/focus";
import { Button } from "../../ui/button";
import { ActionSelect } from "../../ui/select";
import type { GalleryTraits } from "./traits";

/** Adds the selected images to a collection, an existing or a new one. */
export function CollectMenu() {
  const panel = usePanel<GalleryTraits>();
  const isNaming = useSignal(false);
  const input = useRef<HTMLInputElement>(null);
  const menu = useRef<HTMLSelectElement>(null);
  const focusLater = useFocusLater();
  const collections = panel.get("collections");
  const shown = panel.get("collection");
  const add = (name: string) => panel.send({ type: "collect", name });
  const save = () => {
    const name = input.current?.value.trim() ?? "";
    if (!name) return input.current?.focus();
    add(name);
    end();
  };
  const end = () => {
    isNaming.value = false;
    focusLater(() => menu.current);
  };
  if (isNaming.value)
    return (
      <span class="wonda-new-collection">
        <input
          ref={input}
          type="text"
          class="wonda-input"
          dir="auto"
          maxLength={100}
          aria-label="Name of the collection"
          placeholder="Name"
          onKeyDown={(event) => {
            if (event.isComposing) return;
            if (event.key === "Enter") save();
            if (event.key === "Escape") end();
          }}
        />
        <Button small onPress={save}>
          Add
        </Button>
      </span>
    );
  return (
    <>
      <ActionSelect
        options={[
          { value: "", label: "Add to collection…" },
          { value: "new", label: "New collection…" },
          ...collections.map((name) => ({ value: `to ${name}`, label: name })),
        ]}
        aria-label="Add to a collection"
        elementRef={menu}
        onChange={(chosen) => {
          if (chosen !== "new") return add(chosen.slice(3));
          isNaming.value = true;
          focusLater(() => input.current);
        }}
      />
      <Button
        small
        hidden={!shown}
        onPress={() => panel.send({ type: "collect", name: shown, remove: true })}
      >
        Remove from collection
      </Button>
    </>
  );
}

/** A zip file of which some pieces have arrived. */
interface Download {
  id: string;
  bytes: number;
  name: string;
  data: BlobPart[];
  at: number;
}

/** Downloads the selected images as one zip file. */
export function ZipButton({ viewId }: { viewId: string }) {
  const panel = usePanel<GalleryTraits>();
  const progress = useSignal(""); // of the download
  const parts = useRef<Download | null>(null);
  useSignalEffect(() => {
    if (panel.get("error")) progress.value = "";
  });
  useMessages((content, buffers) => {
    if (content.type === "zip" && content.view === viewId) {
      const { id, bytes, name } = content as unknown as { id: string; bytes: number; name: string };
      parts.current = { id, bytes, name, data: [], at: 0 };
      panel.send({ type: "zip_piece", id, at: 0 });
    }
    const file = parts.current;
    if (!file || content.type !== "zip_piece" || content.id !== file.id) return;
    const piece = buffers[0];
    if (content.at !== file.at || !piece) return;
    file.data.push(piece as BlobPart);
    file.at += piece.byteLength;
    progress.value = `${Math.round((100 * file.at) / file.bytes)}%`;
    panel.send({ type: "zip_piece", id: file.id, at: file.at }); // after the end, it is deleted
    if (file.at < file.bytes) return;
    saveBlob(file.name, new Blob(file.data, { type: "application/zip" }));
    parts.current = null;
    progress.value = "";
  });
  return (
    <Button
      small
      off={progress.value !== ""}
      onPress={() => {
        progress.value = "…";
        panel.send({ type: "zip", keys: panel.peek("selected_keys"), view: viewId });
      }}
    >
      Download{progress.value && ` ${progress.value}`}
    </Button>
  );
}
