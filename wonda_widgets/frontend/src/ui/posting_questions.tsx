// What is asked before a post is sent: the summary, and whether to repeat an earlier post.

import type { ComponentChildren, RefObject } from "preact";
import { usePanel } from "../runtime/context";
import type { Delivery } from "../runtime/delivery";
import { Button } from "./button";
import { Isolated } from "./isolated";
import { PostLink } from "./post_link";
import { type PostingTraits, type PostingWords, STOPPED } from "./posting_traits";

/** What is about to be posted, with the button that posts it. */
export function SummaryBox({
  boxRef,
  image,
  words,
  delivery,
  confirm,
  keepEditing,
}: {
  boxRef: RefObject<HTMLDivElement | null>;
  image: ComponentChildren;
  words: PostingWords;
  delivery: Delivery;
  confirm: () => void;
  keepEditing: () => void;
}) {
  const panel = usePanel<PostingTraits>();
  const step = panel.get("step");
  const isSandbox = panel.get("sandbox");
  const { account_name: account = "", caption = "", media_id: mediaId } = panel.get("summary");
  const { text: refused = "" } = panel.get("refusal");
  const last = panel.get("posted");
  const isRepeated = mediaId && last.media_id === mediaId && !("due" in last);
  const problems = panel.get("check_results").filter(({ level }) => level === "miss");
  const text = caption.trim();
  const facts = [
    ...words.facts,
    ...(isSandbox || words.when ? [] : ["posts can’t be deleted from here"]),
  ];
  const caution = [
    // The user was asked about it, or this panel knows it.
    ...(refused ? [refused] : isRepeated ? [words.repeated] : []),
    ...(problems.length
      ? ["Instagram may reject this post.", ...problems.map(({ title }) => title)]
      : []),
  ].join(" ");
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would need a visible legend
    <div
      class="wonda-summary"
      ref={boxRef}
      role="group"
      aria-label="What will be posted"
      tabIndex={-1}
      hidden={step !== "confirming"}
    >
      {image}
      <div>
        <p>
          <strong>
            {isSandbox ? "Ready to post to " : `${words.what} will be posted publicly to `}
            <Isolated text={account} />
            {isSandbox ? `${words.when}.` : `${words.when || " now"}.`}
          </strong>{" "}
          {isSandbox && "Simulated: nothing is published."}
        </p>
        <p class="wonda-summary-text">
          {text ? <Isolated text={`“${text}”`} /> : "no caption"}
          {facts.map((fact) => ` · ${fact}`)}
        </p>
        <p class="wonda-summary-caution" hidden={!caution}>
          {caution}
        </p>
        <div class="wonda-buttons">
          <Button primary off={step !== "confirming" || delivery.waiting} onPress={confirm}>
            {words.confirm}
          </Button>
          <Button onPress={keepEditing}>Keep editing</Button>
        </div>
      </div>
    </div>
  );
}

/** Posted before, or earlier posts cannot be checked: ask whether to publish anyway. */
export function EarlierPost({
  boxRef,
  delivery,
  repeat,
  keepEditing,
}: {
  boxRef: RefObject<HTMLDivElement | null>;
  delivery: Delivery;
  repeat: () => void;
  keepEditing: () => void;
}) {
  const panel = usePanel<PostingTraits>();
  const step = panel.get("step");
  const { title = "", text = "", link } = panel.get("refusal");
  const isUnchecked = step === "unchecked";
  const isStopped = STOPPED.includes(step);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would need a visible legend
    <div
      class="wonda-summary wonda-earlier"
      ref={boxRef}
      role="group"
      aria-label={title.replace(/\.$/, "") || "Already posted"}
      tabIndex={-1}
      hidden={!isStopped}
    >
      <div>
        <p>
          <strong>{title}</strong> <span>{text}</span> <PostLink address={link}>View post</PostLink>
        </p>
        <p class="wonda-summary-text">
          Nothing was sent. Publish the post {isUnchecked ? "anyway" : "again"}?
        </p>
        <div class="wonda-buttons">
          <Button off={!isStopped || delivery.waiting} onPress={repeat}>
            {isUnchecked ? "Publish anyway" : "Post again"}
          </Button>
          <Button onPress={keepEditing}>Keep editing</Button>
        </div>
      </div>
    </div>
  );
}
