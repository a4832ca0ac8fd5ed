// Unfinished work of an earlier kernel.

import type { ComponentChildren } from "preact";
import { plural } from "../logic/words";
import { useHidden, usePanel } from "../runtime/context";
import { Button, LinkButton } from "../ui/button";

interface Traits {
  running: number;
  newest_text: string;
  posts: number;
  images: number;
  is_blocked: boolean;
  journal_problem: string;
}

export function Unfinished() {
  const panel = usePanel<Traits>();
  const { running, posts, images } = {
    running: panel.get("running"),
    posts: panel.get("posts"),
    images: panel.get("images"),
  };
  const text = panel.get("newest_text");
  const newest = text ? `: ${running > 1 ? "the last is " : ""}“${text}”` : "";
  const problem = panel.get("journal_problem");
  const hasWork = running > 0 || posts > 0 || images > 0;
  useHidden(!hasWork && !problem);
  return (
    <>
      {hasWork && (
        <div class="wonda-left-over">
          <div>
            {running > 0 && (
              <Line label="Resume watching" type="watch">
                {plural(running, "job is", "jobs are")} unfinished{newest}.
              </Line>
            )}
            {posts > 0 && (
              <Line label="Check" type="check">
                {plural(posts, "post", "posts")} may have been published, but the response was never
                received. Nothing is posted again automatically.
              </Line>
            )}
            {images > 0 && (
              <Line label="I’ve checked" type="dismiss_images">
                {plural(images, "image", "images")} may have been generated and charged, but the
                response was never received. Check your Wonda library.
              </Line>
            )}
            <p class="wonda-note" role="status">
              {panel.get("is_blocked") ? "Resolve the post shown below first." : ""}
            </p>
          </div>
          <LinkButton onPress={() => panel.send({ type: "dismiss" })}>Not now</LinkButton>
        </div>
      )}
      {problem && (
        <p class="wonda-left-over wonda-note" role="status">
          {problem}
        </p>
      )}
    </>
  );
}

/** A line about unfinished work, with its button. */
function Line({
  children,
  label,
  type,
}: {
  children: ComponentChildren;
  label: string;
  type: string;
}) {
  const panel = usePanel();
  return (
    <p class="wonda-unfinished-line" role="status">
      <span>{children}</span>
      <Button small onPress={() => panel.send({ type })}>
        {label}
      </Button>
    </p>
  );
}
