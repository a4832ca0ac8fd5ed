// The images of a review, which are asked for when they are needed.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { objectUrl, revoke } from "../../runtime/bytes";
import { useMessages, usePanel } from "../../runtime/context";

const MAX_IMAGES = 12; // that a view keeps

interface Kept {
  url: string;
  reason: string;
}

export function useImages() {
  const panel = usePanel();
  const kept = useRef(new Map<string, Kept>()); // oldest first
  const asked = useRef(new Set<string>());
  const version = useSignal(0);
  useMessages(({ type, key, reason = "", mime }, buffers) => {
    if (type !== "image" || !asked.current.has(String(key))) return;
    revoke(kept.current.get(String(key))?.url);
    kept.current.set(String(key), {
      url: objectUrl(buffers[0], String(mime)),
      reason: String(reason),
    });
    for (const [old, { url }] of kept.current) {
      if (kept.current.size <= MAX_IMAGES) break;
      revoke(url);
      kept.current.delete(old);
      asked.current.delete(old);
    }
    version.value++;
  });
  useEffect(
    () => () => {
      for (const { url } of kept.current.values()) revoke(url);
    },
    [],
  );
  version.value; // render again when an image arrives
  return {
    url: (key: string) => kept.current.get(key)?.url ?? "",
    reason: (key: string) => kept.current.get(key)?.reason ?? "",
    request(keys: string[]) {
      for (const key of keys) {
        if (asked.current.has(key)) continue;
        asked.current.add(key);
        panel.send({ type: "look", key });
      }
    },
  };
}
