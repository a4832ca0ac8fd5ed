// The header of a dashboard, which also restores a reloaded session; see
// `widgets/_parts/dashboard_bar.py`.

import { useEffect, useRef } from "preact/hooks";
import { readMemory, rememberProcess, writeMemory } from "../logic/visitor_memory";
import { useMessages, usePanel, useUid } from "../runtime/context";
import { isVoila } from "../runtime/dom";
import { Button } from "../ui/button";

interface Traits {
  title: string;
  process: string;
  presenter: boolean;
  spending: string;
  is_review_only: boolean;
  draft: Record<string, unknown>;
}

const PING_INTERVAL = 10_000; // milliseconds between checks whether the kernel is alive
const PATIENCE = 45_000; // milliseconds without a response after which the session has ended

export function DashboardBar() {
  const panel = usePanel<Traits>();
  const title = panel.get("title");
  const isPresenter = panel.get("presenter");
  const isReviewOnly = panel.get("is_review_only");
  useRestoredSession();
  useEffect(() => {
    if (isVoila()) document.title = title;
  }, [title]);
  return (
    <>
      <h1>{title}</h1>
      <span class="wonda-gap" />
      <span class="wonda-count" role="status">
        {panel.get("spending")}
      </span>
      {isPresenter && !isReviewOnly && !panel.allows("publish") && (
        <span class="wonda-count">Presenter mode: publishing is hidden.</span>
      )}
      <Button
        small
        pressed={isPresenter}
        hidden={isReviewOnly}
        title="Large type"
        onPress={() => panel.send({ type: "present", on: !isPresenter })}
      >
        Presenter mode
      </Button>
      {/* The heading of the panels below. */}
      <h2 class="wonda-unseen">{isReviewOnly ? "Review" : "Make an image"}</h2>
      {isReviewOnly && !reviewId() && (
        <p>Open the link that you were sent: it leads to the review.</p>
      )}
      <SessionEnded />
    </>
  );
}

/** The review of the page's link; empty for none. */
const reviewId = (): string => new URLSearchParams(location.search).get("review") ?? "";

/** Send the earlier processes of this tab, and its draft; store the new ones. */
function useRestoredSession(): void {
  const panel = usePanel<Traits>();
  useEffect(() => {
    const { processes, draft } = isVoila() ? readMemory() : { processes: [], draft: {} };
    panel.send({ type: "hello", processes, draft, review: isVoila() ? reviewId() : "" });
    if (!isVoila()) return;
    rememberProcess(panel.peek("process"));
    return panel.observe("draft", () => writeMemory({ draft: panel.peek("draft") }));
  }, [panel]);
}

/** A session ends with its kernel, and the page must say so. */
function SessionEnded() {
  const panel = usePanel<Traits>();
  const viewId = useUid("view");
  const titleId = useUid("ended");
  const box = useRef<HTMLDialogElement>(null);
  const reload = useRef<HTMLButtonElement>(null);
  const heardAt = useRef(performance.now());
  useMessages(({ type }) => {
    if (type !== "pong") return;
    heardAt.current = performance.now();
    if (box.current?.open) box.current.close(); // the kernel was only slow
  });
  useEffect(() => {
    const ended = new AbortController();
    let isLeaving = false;
    addEventListener("beforeunload", () => (isLeaving = true), { signal: ended.signal });
    const show = () => {
      if (isLeaving || !isVoila() || !box.current?.isConnected || box.current.open) return;
      box.current.showModal();
      reload.current?.focus();
    };
    const timer = setInterval(() => {
      if (!panel.send({ type: "ping", view: viewId })) show();
      // A suspended tab does not receive messages either.
      else if (performance.now() - heardAt.current > PATIENCE + PING_INTERVAL) show();
    }, PING_INTERVAL);
    document.addEventListener("visibilitychange", () => (heardAt.current = performance.now()), {
      signal: ended.signal,
    });
    const unwatch = panel.isConnected.subscribe((isConnected) => {
      if (!isConnected) show();
    });
    return () => {
      clearInterval(timer);
      unwatch();
      ended.abort();
    };
  }, [panel, viewId]);
  return (
    <dialog
      ref={box}
      class="wonda wonda-session-ended"
      aria-labelledby={titleId}
      onCancel={(event) => event.preventDefault()}
    >
      <h2 id={titleId}>The session has ended</h2>
      <p>Reload the page to continue. Your images, posts and text are kept.</p>
      <Button primary elementRef={reload} onPress={() => location.reload()}>
        Reload
      </Button>
    </dialog>
  );
}
