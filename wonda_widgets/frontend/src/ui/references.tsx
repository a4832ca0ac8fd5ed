// Reference images: files are announced to the kernel, and sent in pieces on request.

import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { own } from "../logic/own";
import { useObjectUrl } from "../runtime/bytes";
import { uid, useMessages, usePanel } from "../runtime/context";
import { type Delivery, useDelivery } from "../runtime/delivery";
import { classes } from "../runtime/dom";
import { fileDrop } from "../runtime/drop";
import type { Panel } from "../runtime/panel";
import { Button } from "./button";
import { Field } from "./field";
import { sortable, useFocusInList } from "./sortable";

interface Reference {
  key: string;
  name: string;
  state: "waiting" | "reading" | "uploading" | "done" | "refused";
  message: string;
  retry: boolean;
  size: number;
  received: number;
}

/** The traits of `widgets/_shared/reference_images.py`. */
export interface ReferenceTraits {
  references: Reference[];
  reference_thumbs: Record<string, DataView>;
  references_message: string;
}

const KIND = "application/x-wonda-reference";

/** Files by key, and from which byte the last piece was sent. */
// Shared by all views on the page, so that a recreated view still has its files.
const heldFiles = new Map<string, { file: File; sentFrom: number }>();

/** Announces files one message at a time, and sends the pieces that the kernel requests. */
class Files {
  readonly #pending: { key: string; name: string; size: number }[] = [];

  constructor(
    readonly panel: Panel<ReferenceTraits>,
    readonly delivery: Delivery,
  ) {}

  add(files: Iterable<File>): void {
    for (const file of files) {
      const key = uid("file");
      heldFiles.set(key, { file, sentFrom: -1 });
      this.#pending.push({ key, name: file.name, size: file.size });
    }
    this.announce();
  }

  announce(): void {
    if (this.#pending.length && !this.delivery.waiting)
      this.delivery.send({ type: "add_files", files: this.#pending.splice(0) });
  }

  /** Report files that an earlier page held. */
  reportLost(): void {
    for (const { key, state } of this.panel.peek("references"))
      if ((state === "waiting" || state === "reading") && !heldFiles.has(key))
        this.panel.send({ type: "no_file", key });
  }

  async sendPiece(key: string, at: number, bytes: number): Promise<void> {
    const held = heldFiles.get(key);
    // Only one of several views on the page responds.
    if (!held || held.sentFrom === at) return;
    held.sentFrom = at;
    try {
      const piece = await held.file.slice(at, at + bytes).arrayBuffer();
      this.panel.send({ type: "chunk", key, at }, [piece]);
    } catch {
      heldFiles.delete(key);
      this.panel.send({ type: "no_file", key });
    }
  }
}

interface Props {
  /** How many images the selected models accept; infinite if the service decides. */
  most: number;
  invalid: boolean;
  /** What is wrong with the images, if the kernel's message does not say so. */
  error?: string;
}

export function References({ most, invalid, error = "" }: Props) {
  const panel = usePanel<ReferenceTraits>();
  const delivery = useDelivery();
  const files = useMemo(() => new Files(panel, delivery), [panel, delivery]);
  const input = useRef<HTMLInputElement>(null);
  const drop = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLUListElement>(null);
  useFocusInList(list, () => input.current);
  useEffect(() => {
    files.reportLost();
    // After `delivery`, which must handle the confirmation first.
    return panel.observe("delivered", () => files.announce());
  }, [panel, files]);
  useMessages(({ type, key, at, bytes }) => {
    if (type === "want") files.sendPiece(String(key), Number(at), Number(bytes));
  });

  const items = panel.get("references");
  const thumbs = panel.get("reference_thumbs");
  const message = panel.get("references_message");
  useLayoutEffect(() => {
    for (const { key, state } of items)
      if (state === "done" || state === "refused") heldFiles.delete(key);
  }, [items]);
  const taken = items.filter(({ state }) => state !== "refused").length;

  const move = (key: string, to: number) => {
    const known = panel.peek("references"); // a tile of another form may be dropped here
    if (known.some((item) => item.key === key) && to >= 0 && to < known.length)
      panel.send({ type: "move_reference", key, to });
  };
  return (
    <div
      hidden={most === 0 && !items.length}
      {...fileDrop(drop, most ? (dropped) => files.add(dropped) : null)}
    >
      <Field
        name="references"
        label="Reference images"
        aside={
          <span class="wonda-count">
            {Number.isFinite(most) && most ? `${taken} of ${most}` : taken || ""}
          </span>
        }
        error={error || (most ? message : "")}
        invalid={invalid || undefined}
        before={
          <ul
            ref={list}
            class={classes("wonda-references", most === 0 && "wonda-unused")}
            aria-label="Reference images"
            hidden={!items.length}
          >
            {items.map((item, index) => (
              <Tile
                key={item.key}
                item={item}
                index={index}
                total={items.length}
                thumb={own(thumbs, item.key)}
                move={move}
              />
            ))}
          </ul>
        }
        after={
          <>
            <p class="wonda-help" role="status">
              {most ? "" : message}
            </p>
            <p class="wonda-note" role="status">
              {delivery.note}
            </p>
          </>
        }
      >
        {(control) => (
          <div class="wonda-drop" ref={drop} hidden={most === 0}>
            <input
              {...control}
              ref={input}
              type="file"
              multiple
              accept="image/*"
              class="wonda-file"
              onChange={({ currentTarget }) => {
                files.add(currentTarget.files ?? []);
                currentTarget.value = "";
              }}
            />
            <span aria-hidden="true">Drop files or click to choose</span>
          </div>
        )}
      </Field>
    </div>
  );
}

interface TileProps {
  item: Reference;
  index: number;
  total: number;
  thumb: DataView | undefined;
  move: (key: string, to: number) => void;
}

/** The states in which a file is on its way; their names are shown. */
const COMING = new Set<Reference["state"]>(["waiting", "reading", "uploading"]);

function Tile({ item, index, total, thumb, move }: TileProps) {
  const panel = usePanel<ReferenceTraits>();
  const url = useObjectUrl(thumb, "image/jpeg");
  const { key, name, state } = item;
  const isRefused = state === "refused";
  // Only the progress of reading is known.
  const progress = state === "reading" ? { max: item.size, value: item.received } : {};
  const indexOf = () => panel.peek("references").findIndex((other) => other.key === key);
  const ask = (type: string) => panel.send({ type, key });
  return (
    <li
      class="wonda-reference"
      data-state={state}
      title={isRefused ? "" : name}
      {...sortable(KIND, key, (other) => move(other, indexOf()))}
    >
      <div class="wonda-reference-image">
        <img
          src={url || undefined}
          hidden={!url}
          // biome-ignore lint/a11y/noRedundantAlt: it names the position, not the content
          alt={`Reference image ${index + 1}: ${name}`}
          draggable={false}
        />
        <progress
          key={state}
          {...progress}
          hidden={!COMING.has(state)}
          aria-label={`Uploading ${name}`}
        />
        <span class="wonda-reference-word">{COMING.has(state) ? state : ""}</span>
      </div>
      <p class="wonda-reference-text" hidden={!isRefused}>
        <span class="wonda-reference-name">{name}</span>{" "}
        <span class="wonda-reference-said">{item.message}</span>
      </p>
      <div class="wonda-reference-buttons">
        <Button
          small
          repeats
          off={index === 0}
          hidden={isRefused}
          label={`Move left: ${name}`}
          onPress={() => move(key, indexOf() - 1)}
        >
          ‹
        </Button>
        <Button small hidden={!item.retry} onPress={() => ask("retry_reference")}>
          Try again
        </Button>
        <Button
          small
          className="wonda-remove"
          label={`Remove: ${name}`}
          onPress={() => {
            heldFiles.delete(key);
            ask("remove_reference");
          }}
        >
          {isRefused ? "Remove" : "×"}
        </Button>
        <Button
          small
          repeats
          off={index === total - 1}
          hidden={isRefused}
          label={`Move right: ${name}`}
          onPress={() => move(key, indexOf() + 1)}
        >
          ›
        </Button>
      </div>
    </li>
  );
}
