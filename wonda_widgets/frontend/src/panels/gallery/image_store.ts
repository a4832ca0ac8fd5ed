// The images that the kernel has sent to one view of a gallery.

import { signal } from "@preact/signals";
import { objectUrl, revoke } from "../../runtime/bytes";
import type { Message } from "../../runtime/panel";
import type { Item } from "./traits";

const MAX_THUMBNAILS = 300; // that a view keeps

interface ItemsMessage {
  revision: number;
  /** Items that follow one another, and the index of the first. */
  parts: { first: number; items: Item[] }[];
}

/** Bytes, and their object URL once a card has shown them. */
interface Thumbnail {
  data: DataView | undefined;
  url: string;
}

/** Items by index, and thumbnails by key. */
export class ImageStore {
  readonly version = signal(0);
  readonly items = new Map<number, Item>();
  readonly #thumbs = new Map<string, Thumbnail>(); // by key, oldest first
  #isScheduled = false;
  readonly #broken = new Map<string, string>(); // why there is no thumbnail
  // Items of a revision may arrive before its traits.
  #early: ItemsMessage[] = []; // of the newest revision

  /** Render the calling component again when an image changes. */
  follow(): void {
    this.version.value;
  }

  /** The object URL of a thumbnail; empty if there is none. */
  thumb(key: string): string {
    const thumbnail = this.#thumbs.get(key);
    if (!thumbnail) return "";
    thumbnail.url ||= objectUrl(thumbnail.data, "");
    return thumbnail.url;
  }

  hasThumb(key: string): boolean {
    return this.#thumbs.has(key);
  }

  /** Why an image has no thumbnail; empty if that is not known. */
  problem(key: string): string {
    return this.#broken.get(key) ?? "";
  }

  /** The index of an item; -1 if it is not loaded. Items are found by key, as indexes change. */
  indexOf(key: string): number {
    for (const [index, item] of this.items) if (item.key === key) return index;
    return -1;
  }

  /** Forget the items of the last revision, and take those that arrived early. */
  startRevision(revision: number): void {
    this.items.clear();
    for (const message of this.#early) if (message.revision === revision) this.#take(message);
    this.#early = this.#early.filter((message) => message.revision > revision);
    this.#changed();
  }

  /** Receive a message of the kernel; `shown` are the indexes that the view shows now. */
  receive(content: Message, buffers: DataView[], revision: number, shown: number[]): void {
    if (content.type === "items") {
      const message = content as unknown as ItemsMessage;
      if (message.revision > revision) this.#keepEarly(message);
      if (message.revision !== revision) return;
      this.#take(message);
    } else if (content.type === "item") {
      const item = content.item as Item;
      for (const [index, old] of this.items) if (old.key === item.key) this.items.set(index, item);
    } else if (content.type === "thumbs") {
      this.#keepThumbs(content.keys as string[], buffers, shown);
      this.#changedSoon();
      return;
    } else if (content.type === "broken") {
      this.#broken.set(String(content.key), String(content.reason));
    } else return;
    this.#changed();
  }

  /** Revoke all object URLs. */
  end(): void {
    for (const key of this.#thumbs.keys()) this.#forget(key);
  }

  #changed(): void {
    this.version.value = this.version.peek() + 1; // reading `value` would subscribe an effect
  }

  /** Render once per frame, however many thumbnails arrive in it. */
  #changedSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.#changed();
    });
  }

  #keepEarly(message: ItemsMessage): void {
    this.#early = this.#early.filter((each) => each.revision >= message.revision);
    this.#early.push(message);
  }

  #take({ parts }: ItemsMessage): void {
    for (const { first, items } of parts)
      for (const [at, item] of items.entries()) this.items.set(first + at, item);
  }

  #keepThumbs(keys: string[], buffers: DataView[], shown: number[]): void {
    for (const [at, key] of keys.entries()) {
      this.#forget(key);
      this.#thumbs.set(key, { data: buffers[at], url: "" });
    }
    if (this.#thumbs.size <= MAX_THUMBNAILS) return;
    // Hundreds of thumbnails for other views may arrive: keep only those that this view shows.
    const needed = new Set(shown.map((index) => this.items.get(index)?.key));
    for (const old of this.#thumbs.keys()) {
      if (this.#thumbs.size <= MAX_THUMBNAILS) break;
      if (!needed.has(old)) this.#forget(old);
    }
  }

  #forget(key: string): void {
    revoke(this.#thumbs.get(key)?.url);
    this.#thumbs.delete(key);
  }
}
