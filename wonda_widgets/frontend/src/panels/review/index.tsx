// `Review`: a person decides between two images at a time, or about one, without their prompts.

import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { newPerson, readPerson, writePerson } from "../../logic/person";
import { ViewState } from "../../logic/view_state";
import { useMessages, usePanel, useUid } from "../../runtime/context";
import { focusedElement, isVoila, targetOf } from "../../runtime/dom";
import { useDraftOf } from "../../runtime/draft";
import { isPlain, useHotkeys } from "../../runtime/keys";
import { AlertBox } from "../../ui/alert";
import { Button, CloseButton, CopyButton } from "../../ui/button";
import { Field } from "../../ui/field";
import { Segments } from "../../ui/select";
import { Enlarged } from "./enlarged";
import { useImages } from "./images";
import { Results } from "./results";
import type { ReviewTraits, Turn } from "./traits";

export function Review() {
  const panel = usePanel<ReviewTraits>();
  const person = useSignal(readPerson());
  const typedName = useSignal(person.peek().name);
  const turn = useSignal<Turn | null>(null);
  const isWaiting = useSignal(false); // for the kernel's answer to a vote
  const comment = useSignal("");
  const comments = useRef(new Map<string, string>()); // what this person typed about each image
  const showsResults = useSignal(false);
  const isEnlarged = useSignal(false);
  const large = useMemo(() => new ViewState(), []); // of the enlarged images
  const seesAll = useSignal(false); // the person wants the results before all is decided
  const stage = useRef<HTMLDivElement>(null);
  const end = useRef<HTMLDivElement>(null);
  const images = useImages();
  const isReady = panel.get("state") === "ready";
  const isPair = panel.get("mode") === "compare";

  const viewId = useUid("view");
  const personNumber = useRef(0); // answers to the person before are ignored
  const who = () => ({
    view: viewId,
    person: personNumber.current,
    visitor: person.peek().id,
    name: person.peek().name,
  });
  const ask = (more = false) => panel.send({ type: "next", ...who(), more });
  const reviewId = panel.get("review_id");
  useEffect(() => {
    turn.value = null;
    if (isReady) ask();
  }, [isReady, reviewId]);
  useMessages((content) => {
    if (content.view !== viewId) return;
    if (content.type === "failed") isWaiting.value = false;
    if (content.type !== "turn" || content.person !== personNumber.current) return;
    turn.value = content as unknown as Turn;
    isWaiting.value = false;
    comment.value = comments.current.get(shownIn(turn.peek())) ?? "";
    images.request(turn.peek()?.images ?? []);
  });

  const {
    images: keys = [],
    done = 0,
    asked = 0,
    all = 0,
    can_undo = false,
    problem,
  } = turn.value ?? {};
  const isDone = turn.value !== null && (done >= asked || !keys.length);
  const canVote = isReady && !isDone && !isWaiting.value && keys.length > 0;
  const vote = (choice: string) => {
    if (!canVote) return;
    isWaiting.value = hasActed.current = true;
    panel.send({ type: "vote", ...who(), choice, images: keys, comment: comment.peek() });
    if (!isEnlarged.peek()) stage.current?.focus({ preventScroll: true });
  };
  const undo = () => {
    if (!can_undo || isWaiting.peek()) return;
    isWaiting.value = hasActed.current = true;
    panel.send({ type: "undo", ...who() });
    stage.current?.focus({ preventScroll: true });
  };
  const hasActed = useRef(false); // so that the focus stays in the review at its end
  useLayoutEffect(() => {
    if (hasActed.current) (isDone ? end : stage).current?.focus({ preventScroll: true });
    hasActed.current = false;
  }, [isDone]);
  // On a page for this review alone, the keys work at once.
  useEffect(() => {
    if (canVote && isVoila() && focusedElement(panel.root) === document.body)
      stage.current?.focus({ preventScroll: true });
  }, [canVote]);
  const rename = () => {
    person.value = { ...person.peek(), name: typedName.peek().trim() };
    writePerson(person.peek());
    seesAll.value = false;
    panel.send({ type: "name", ...who(), images: turn.peek()?.images });
  };
  const nextPerson = () => {
    person.value = newPerson();
    personNumber.current++;
    typedName.value = "";
    turn.value = null;
    comments.current.clear();
    seesAll.value = showsResults.value = false;
    ask();
  };
  const choices = isPair ? PAIR_CHOICES : DECISIONS;
  useHotkeys({
    // Not while a name or comment is typed, and not for a button or a list that has the focus.
    matches: (event) =>
      isPlain(event) &&
      !(isEnlarged.peek() && large.isZoomed) && // the arrow keys move the images
      !["INPUT", "TEXTAREA", "SELECT"].includes(targetOf(event).tagName) &&
      (event.key === "Backspace" || choices.some(({ key }) => key === keyOf(event))),
    act: (event) => {
      if (event.key === "Backspace") undo();
      else vote(choices.find(({ key }) => key === keyOf(event))?.choice ?? "");
    },
  });
  if (panel.get("state") === "unavailable")
    return (
      <>
        <div class="wonda-review-head">
          <h3>Review</h3>
          <span class="wonda-gap" />
          <CloseButton />
        </div>
        <AlertBox />
      </>
    );
  return (
    <>
      <div class="wonda-review-head">
        <h3>{panel.get("question") || (isPair ? "Which one is better?" : "Do you approve?")}</h3>
        <span class="wonda-gap" />
        <span class="wonda-count" role="status">
          {turn.value && `${done} of ${Math.max(done, asked)} decided`}
        </span>
        <CloseButton />
      </div>
      <progress
        class="wonda-review-progress"
        max={Math.max(1, asked)}
        value={Math.min(done, asked)}
        aria-label="Progress"
      />
      <Setup />
      <AlertBox />
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset has another meaning */}
      <div
        ref={stage}
        class="wonda-review-stage"
        role="group"
        aria-label={isPair ? "Two images" : "An image"}
        tabIndex={-1}
        data-count={keys.length}
        hidden={isDone || !keys.length}
      >
        {keys.map((key, index) => (
          <button
            type="button"
            key={key}
            class="wonda-review-image"
            aria-label={
              isPair ? ["The left one is better", "The right one is better"][index] : "The image"
            }
            aria-disabled={!canVote || !isPair}
            onClick={() => isPair && vote(index ? "right" : "left")}
          >
            <img src={images.url(key) || undefined} hidden={!images.url(key)} alt="" />
            <span hidden={!!images.url(key)}>{images.reason(key) || "Loading the image…"}</span>
          </button>
        ))}
      </div>
      <div class="wonda-review-choices" hidden={isDone || !keys.length}>
        {!isPair && (
          <Field label="Comment (optional)">
            {(control) => (
              <input
                {...control}
                type="text"
                class="wonda-input"
                dir="auto"
                maxLength={1000}
                value={comment.value}
                onInput={(event) => {
                  comment.value = event.currentTarget.value;
                  comments.current.set(shownIn(turn.peek()), comment.peek());
                }}
              />
            )}
          </Field>
        )}
        <div class="wonda-buttons">
          {choices.map(({ choice, label, hint }) => (
            <Button key={choice} off={!canVote} onPress={() => vote(choice)}>
              {label} <Key>{hint}</Key>
            </Button>
          ))}
        </div>
      </div>
      <span class="wonda-field-error" role="alert">
        {problem}
      </span>
      <div class="wonda-review-help" hidden={isDone || !keys.length}>
        <span class="wonda-help" hidden={!isPair}>
          Click the better image, or use the keys on the buttons.
        </span>
        <Button
          small
          onPress={() => {
            isEnlarged.value = true;
          }}
        >
          Enlarge
        </Button>
      </div>
      <Enlarged isOpen={isEnlarged} view={large} keys={isDone ? [] : keys} images={images}>
        {choices.map(({ choice, label, hint }) => (
          <Button small key={choice} off={!canVote} onPress={() => vote(choice)}>
            {label} <Key>{hint}</Key>
          </Button>
        ))}
      </Enlarged>
      <div class="wonda-review-end" ref={end} tabIndex={-1} hidden={!isDone}>
        <strong>Thank you. Your votes are recorded.</strong>
        {done < all && (
          <Button small onPress={() => ask(true)} hidden={done < asked}>
            Compare more
          </Button>
        )}
      </div>
      <div class="wonda-review-foot">
        <Field label="Your name (optional)">
          {(control) => (
            <input
              {...control}
              type="text"
              class="wonda-input"
              dir="auto"
              maxLength={80}
              value={typedName.value}
              onInput={(event) => {
                typedName.value = event.currentTarget.value;
              }}
              onChange={rename}
              onKeyDown={(event) => {
                if (event.key === "Enter") (isDone ? end : stage).current?.focus();
              }}
            />
          )}
        </Field>
        <div class="wonda-buttons">
          <Button
            small
            title="Your votes are kept"
            off={isWaiting.value}
            hidden={!done && !person.value.name}
            onPress={nextPerson}
          >
            Next person
          </Button>
          <Button small off={!can_undo || isWaiting.value} onPress={undo}>
            Undo <Key>⌫</Key>
          </Button>
          <Button
            small
            pressed={showsResults.value}
            onPress={() => {
              showsResults.value = !showsResults.peek();
              if (isDone) seesAll.value = true; // also if a vote is undone
            }}
          >
            Results
          </Button>
        </div>
      </div>
      {showsResults.value && !isDone && !seesAll.value && (
        <div class="wonda-review-end">
          <span>The votes of others may influence yours. Decide first, then see the results.</span>
          <Button
            small
            onPress={() => {
              seesAll.value = true;
            }}
          >
            Show the results now
          </Button>
        </div>
      )}
      {showsResults.value && (isDone || seesAll.value) && (
        <Results viewId={viewId} who={who} version={done} />
      )}
    </>
  );
}

/** The key that does what a button does. */
function Key({ children }: { children: string }) {
  return (
    <span class="wonda-key" aria-hidden="true">
      {children}
    </span>
  );
}

/** Question and mode, and the link for others. */
function Setup() {
  const panel = usePanel<ReviewTraits>();
  const mode = panel.get("mode");
  const question = useDraftOf<HTMLInputElement>(
    useComputed(() => panel.get("question")),
    (text) => panel.send({ type: "setup", question: text, mode: panel.peek("mode") }),
    { delay: 1200 },
  );
  const isHidden = !panel.get("setup") || !panel.allows("generate");
  return (
    <div class="wonda-review-setup" hidden={isHidden}>
      <Field label="Question">
        {(control) => (
          <input
            {...control}
            {...question.control}
            type="text"
            class="wonda-input"
            maxLength={300}
            placeholder="Which one is better?"
          />
        )}
      </Field>
      <Segments
        options={MODES}
        value={mode}
        aria-label="Mode"
        onChange={(next) =>
          panel.send({ type: "setup", question: panel.peek("question"), mode: next })
        }
      />
      {isVoila() && !panel.get("is_shared") && (
        <span class="wonda-help">
          There is no link for others: this sandbox exists only in this window.
        </span>
      )}
      {isVoila() && panel.get("is_shared") && (
        <CopyButton forMakers={false} text={() => linkTo(panel.peek("review_id"))}>
          Copy link for others
        </CopyButton>
      )}
    </div>
  );
}

const MODES = [
  { value: "compare", label: "Compare pairs" },
  { value: "approve", label: "Approve" },
];

/** The address of a page that shows only this review. */
function linkTo(review: string): string {
  const url = new URL(location.href);
  url.search = new URLSearchParams({ review }).toString();
  url.hash = "";
  return url.href;
}

const PAIR_CHOICES = [
  { choice: "left", label: "Left is better", hint: "←", key: "ArrowLeft" },
  { choice: "equal", label: "Equal", hint: "↓", key: "ArrowDown" },
  { choice: "both bad", label: "Both bad", hint: "X", key: "x" },
  { choice: "right", label: "Right is better", hint: "→", key: "ArrowRight" },
];
const DECISIONS = [
  { choice: "approve", label: "Approve", hint: "A", key: "a" },
  { choice: "reject", label: "Reject", hint: "R", key: "r" },
];

const shownIn = (turn: Turn | null) => turn?.images.join() ?? "";
const keyOf = ({ key }: KeyboardEvent) => (key.length === 1 ? key.toLowerCase() : key);
