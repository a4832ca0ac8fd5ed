// `ScheduledPosts`: the posts that wait for their time, each with a way to cancel it.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { formatMoment, timeZone, WITH_DAY } from "../logic/time";
import { usePanel } from "../runtime/context";
import { AlertBox } from "../ui/alert";
import { Button, CloseButton, LinkButton } from "../ui/button";
import { Isolated } from "../ui/isolated";

interface Post {
  job_id: string;
  due: number | null;
  account: string;
  images: number;
  caption: string;
}

interface Traits {
  posts: Post[];
  state: "loading" | "ready" | "off" | "broken";
  canceling: string;
  message: string;
}

export function ScheduledPosts() {
  const panel = usePanel<Traits>();
  const asking = useSignal(""); // the job ID of the post whose cancellation must be confirmed
  const list = useRef<HTMLUListElement>(null);
  const posts = panel.get("posts");
  useSignalEffect(() => {
    // A post that is no longer listed, and listed again later, is not asked about again.
    if (!panel.get("posts").some(({ job_id }) => job_id === asking.peek())) asking.value = "";
  });
  const emptyText = {
    loading: "Loading…",
    ready: posts.length ? "" : "Nothing is scheduled.",
    off: "",
    broken: "The scheduled posts could not be loaded.",
  }[panel.get("state")];
  return (
    <>
      <div class="wonda-gallery-bar">
        <h3>Scheduled posts</h3>
        <span class="wonda-count">{timeZone()}</span>
        <span class="wonda-gap" />
        <LinkButton onPress={() => panel.send({ type: "reload" })}>Refresh</LinkButton>
        <CloseButton />
      </div>
      <ul
        class="wonda-scheduled-list"
        ref={list}
        tabIndex={-1}
        aria-label="Scheduled posts"
        hidden={!posts.length}
      >
        {posts.map((post) => (
          <PostRow
            key={post.job_id}
            post={post}
            isAsking={asking.value === post.job_id}
            ask={(now) => {
              asking.value = now ? post.job_id : "";
            }}
            cancel={() => {
              asking.value = "";
              panel.send({ type: "cancel", job_id: post.job_id });
              list.current?.focus({ preventScroll: true }); // the button is removed
            }}
          />
        ))}
      </ul>
      <p class="wonda-help" hidden={!emptyText}>
        {emptyText}
      </p>
      <p class="wonda-outcome" role="status">
        {panel.get("message")}
      </p>
      <AlertBox />
    </>
  );
}

interface RowProps {
  post: Post;
  isAsking: boolean;
  ask: (now: boolean) => void;
  cancel: () => void;
}

function PostRow({ post, isAsking, ask, cancel }: RowProps) {
  const panel = usePanel<Traits>();
  const buttons = useRef<HTMLDivElement>(null);
  const focusFirst = useRef(false);
  useLayoutEffect(() => {
    if (focusFirst.current) buttons.current?.querySelector("button")?.focus();
    focusFirst.current = false;
  });
  const when = post.due ? formatMoment(post.due, WITH_DAY) : "at an unknown time";
  const isCanceling = panel.get("canceling") === post.job_id;
  const askNow = (now: boolean) => {
    focusFirst.current = true;
    ask(now);
  };
  return (
    <li data-job={post.job_id}>
      <p>
        <strong>{when}</strong>{" "}
        <span>
          {post.account && `to ${post.account} · `}
          {post.images > 1 && `${post.images} images · `}
          {post.caption ? <Isolated text={`“${post.caption}”`} /> : "no caption"}
        </span>
      </p>
      <div class="wonda-buttons" ref={buttons}>
        {isCanceling ? (
          <span class="wonda-note">Canceling…</span>
        ) : isAsking ? (
          <>
            <span>Cancel this post?</span>
            <Button small onPress={() => askNow(false)}>
              Keep post
            </Button>
            <Button small onPress={cancel}>
              Cancel post
            </Button>
          </>
        ) : panel.allows("cancel") ? (
          <Button
            small
            label={`Cancel the post scheduled for ${when}`}
            onPress={() => askNow(true)}
          >
            Cancel…
          </Button>
        ) : null}
      </div>
    </li>
  );
}
