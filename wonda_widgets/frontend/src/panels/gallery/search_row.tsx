// The search in the journal by words, model and days; it is not limited to the loaded images.

import { type Signal, useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { usePanel } from "../../runtime/context";
import { useTyped } from "../../runtime/typed";
import { Select } from "../../ui/select";
import type { GalleryTraits } from "./traits";

/** The typed words; they follow the kernel, but never overwrite what is being typed. */
export interface SearchWords {
  text: Signal<string>;
  type: (text: string) => void;
  clear: () => void;
}

export function useSearchWords(): SearchWords {
  const panel = usePanel<GalleryTraits>();
  const text = useSignal(panel.peek("text"));
  // The text that was sent and that the kernel has not confirmed yet.
  const unconfirmed = useRef<string | null>(null);
  useSignalEffect(() => {
    const current = panel.get("text");
    if (unconfirmed.current === null) text.value = current;
    else if (unconfirmed.current === current) unconfirmed.current = null;
  });
  return {
    text,
    type(typed) {
      text.value = unconfirmed.current = typed;
      panel.send({ type: "search", text: typed });
    },
    clear() {
      text.value = "";
    },
  };
}

const KINDS = [
  { value: "", label: "Images and videos" },
  { value: "image", label: "Images" },
  { value: "video", label: "Videos" },
];

export function SearchRow({
  words,
  inputRef,
}: {
  words: SearchWords;
  inputRef: { current: HTMLInputElement | null };
}) {
  const panel = usePanel<GalleryTraits>();
  const model = panel.get("model");
  const collection = panel.get("collection");
  const collections = [
    ...new Set([...panel.get("collections"), ...(collection ? [collection] : [])]),
  ];
  const keys = [...new Set([...panel.get("models"), ...(model ? [model] : [])])];
  return (
    <div class="wonda-search-row" hidden={!panel.get("searches")}>
      <input
        ref={inputRef}
        type="search"
        class="wonda-input wonda-search"
        dir="auto"
        placeholder="Search prompts and notes"
        aria-label="Search prompts and notes"
        value={words.text.value}
        onInput={(event) => words.type(event.currentTarget.value)}
      />
      <Select
        options={KINDS}
        value={panel.get("kind")}
        hidden={!panel.get("has_videos") && !panel.get("kind")}
        aria-label="Show only: images or videos"
        onChange={(value) => panel.set({ kind: value })}
      />
      <Select
        options={[
          { value: "", label: "All models" },
          ...keys.map((value) => ({ value, label: value })),
        ]}
        value={model}
        hidden={keys.length < 2 && !model}
        aria-label="Show only: Model"
        onChange={(value) => panel.set({ model: value })}
      />
      <Select
        options={[
          { value: "", label: "All collections" },
          ...collections.map((value) => ({ value, label: value })),
        ]}
        value={collection}
        hidden={!collections.length}
        aria-label="Show only: collection"
        onChange={(value) => panel.set({ collection: value })}
      />
      <span class="wonda-days">
        <Day label="from" name="since" />
        <Day label="to" name="until" />
      </span>
    </div>
  );
}

function Day({ label, name }: { label: string; name: "since" | "until" }) {
  const panel = usePanel<GalleryTraits>();
  const input = useRef<HTMLInputElement>(null);
  const value = useTyped(panel.get(name), input);
  return (
    <span class="wonda-day">
      <span aria-hidden="true">{label}</span>
      <input
        ref={input}
        type="date"
        class="wonda-input"
        aria-label={`Made ${label}`}
        value={value.value}
        onChange={(event) => {
          value.value = event.currentTarget.value;
          panel.set({ [name]: value.peek() });
        }}
      />
    </span>
  );
}
