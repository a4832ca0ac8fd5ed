// `Timeline`: the images and posts of today.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { own } from "../logic/own";
import { formatMoment } from "../logic/time";
import { objectUrl, revoke } from "../runtime/bytes";
import { useMessages, usePanel } from "../runtime/context";
import { AlertBox } from "../ui/alert";
import { PostLink } from "../ui/post_link";

interface Entry {
  key: string;
  title: string;
  time: number | null;
  events: string;
  posted: boolean;
  link: string;
}

interface Traits {
  entries: Entry[];
  summary: string;
  state: string;
}

export function Timeline() {
  const panel = usePanel<Traits>();
  const entries = panel.get("entries");
  const thumbs = useThumbs(entries);
  return (
    <>
      <h2>Today’s timeline</h2>
      <p class="wonda-help" role="status">
        {panel.get("summary")}
      </p>
      <ol class="wonda-timeline-list" aria-label="Today’s timeline" hidden={!entries.length}>
        {entries.map((entry) => (
          <TimelineEntry key={entry.key} entry={entry} thumb={own(thumbs, entry.key) ?? ""} />
        ))}
      </ol>
      <p class="wonda-help" hidden={entries.length > 0}>
        {panel.get("state") === "loading"
          ? "Loading…"
          : "Nothing yet. What you generate appears here."}
      </p>
      <AlertBox />
    </>
  );
}

/** The thumbnails as object URLs by key; each is requested once. */
function useThumbs(entries: Entry[]): Record<string, string> {
  const panel = usePanel<Traits>();
  const urls = useSignal<Record<string, string>>({});
  const asked = useRef(new Set<string>());
  useMessages((content, buffers) => {
    const key = String(content.key);
    if (content.type === "thumb" && !own(urls.peek(), key))
      urls.value = { ...urls.peek(), [key]: objectUrl(buffers[0], "image/jpeg") };
  });
  useEffect(() => {
    const keys = entries.map(({ key }) => key).filter((key) => !asked.current.has(key));
    for (const key of keys) asked.current.add(key);
    if (keys.length) panel.send({ type: "thumbs", keys });
  }, [entries, panel]);
  useEffect(() => () => Object.values(urls.peek()).forEach(revoke), [urls]);
  return urls.value;
}

function TimelineEntry({ entry, thumb }: { entry: Entry; thumb: string }) {
  const { title, time, events, posted, link } = entry;
  return (
    <li>
      <span class="wonda-timeline-image">
        <img src={thumb || undefined} hidden={!thumb} alt="" />
      </span>
      <div>
        <p class="wonda-timeline-time">
          <time>{time ? formatMoment(time, { weekday: undefined }) : ""}</time>
        </p>
        <p class="wonda-timeline-title" dir="auto">
          {title}
        </p>
        {events && (
          <p
            class={posted ? "wonda-timeline-events wonda-timeline-posted" : "wonda-timeline-events"}
          >
            {events} <PostLink address={link}>View post</PostLink>
          </p>
        )}
      </div>
    </li>
  );
}
