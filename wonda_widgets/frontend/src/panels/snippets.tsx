// `Snippets`: the named pieces of prompts.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { own } from "../logic/own";
import { useMessages, usePanel, useUid } from "../runtime/context";
import { useDownloads } from "../runtime/downloads";
import { AlertBox } from "../ui/alert";
import { Button } from "../ui/button";
import { Field } from "../ui/field";
import type { SnippetTraits } from "../ui/snippet_menu";

interface Traits extends SnippetTraits {
  note: string;
}

interface Draft {
  /** The name of the snippet that is edited; empty for a new one. */
  former: string;
  name: string;
  text: string;
}

export function Snippets() {
  const panel = usePanel<Traits>();
  const viewId = useUid("view");
  const former = useSignal(""); // the name of the snippet that is edited; empty for a new one
  const name = useSignal("");
  const text = useSignal("");
  const sent = useRef<{ name: string; text: string }>(null);
  const nameInput = useRef<HTMLInputElement>(null);
  useDownloads(viewId);
  const snippets = Object.entries(panel.get("snippets"));
  const mayEdit = panel.allows("generate");
  const replaced = useSignal<Draft | null>(null); // what was typed and not saved, for Undo
  const fill = (next: Draft) => {
    const typed = { former: former.peek(), name: name.peek(), text: text.peek() };
    const isEmpty = !typed.name.trim() && !typed.text.trim();
    const isUnchanged =
      typed.former === typed.name && own(panel.peek("snippets"), typed.former) === typed.text;
    replaced.value = isEmpty || isUnchanged ? null : typed;
    former.value = next.former;
    name.value = next.name;
    text.value = next.text;
    nameInput.current?.focus();
  };
  useMessages((content) => {
    if (content.type !== "saved" || content.view !== viewId) return;
    const isChanged = sent.current?.name !== name.peek() || sent.current.text !== text.peek();
    if (isChanged) return; // what was typed meanwhile is not lost
    former.value = name.value = text.value = "";
    replaced.value = null;
  });
  const isReady = name.value.trim() !== "" && text.value.trim() !== "";
  return (
    <>
      <h3>Snippets</h3>
      <p class="wonda-help">
        Named pieces of prompts. To use one, write its name in a prompt: {"{style:noir}"}.
      </p>
      <AlertBox />
      <ul class="wonda-snippets" aria-label="Snippets" hidden={!snippets.length}>
        {snippets.map(([each, content]) => (
          <li key={each}>
            <strong dir="auto">{each}</strong>
            <span dir="auto">{content}</span>
            <span class="wonda-buttons" hidden={!mayEdit}>
              <Button
                small
                label={`Edit ${each}`}
                onPress={() => fill({ former: each, name: each, text: content })}
              >
                Edit
              </Button>
              <Button
                small
                label={`Remove ${each}`}
                onPress={() => {
                  panel.send({ type: "remove", name: each });
                  fill({ former: "", name: each, text: content }); // Save brings it back
                }}
              >
                Remove
              </Button>
            </span>
          </li>
        ))}
      </ul>
      <div class="wonda-file-note" role="status" hidden={!replaced.value}>
        <span>What you typed was not saved.</span>
        <Button small onPress={() => replaced.value && fill(replaced.value)}>
          Undo
        </Button>
      </div>
      <div class="wonda-snippet-form" hidden={!mayEdit}>
        <h4>{former.value ? `Edit ${former.value}` : "New snippet"}</h4>
        <Field label="Name">
          {(control) => (
            <input
              {...control}
              ref={nameInput}
              type="text"
              class="wonda-input"
              dir="auto"
              maxLength={60}
              placeholder="style:noir"
              value={name.value}
              onInput={(event) => {
                name.value = event.currentTarget.value;
              }}
            />
          )}
        </Field>
        <Field label="Text">
          {(control) => (
            <textarea
              {...control}
              class="wonda-input"
              dir="auto"
              rows={2}
              placeholder="high contrast, hard shadows, black and white"
              value={text.value}
              onInput={(event) => {
                text.value = event.currentTarget.value;
              }}
            />
          )}
        </Field>
        <div class="wonda-buttons">
          <Button
            primary
            off={!isReady}
            onPress={() => {
              sent.current = { name: name.peek(), text: text.peek() };
              panel.send({
                type: "save",
                name: name.peek(),
                text: text.peek(),
                former: former.peek(),
                view: viewId,
              });
            }}
          >
            Save
          </Button>
          <Button
            small
            hidden={!name.value && !text.value}
            onPress={() => fill({ former: "", name: "", text: "" })}
          >
            {former.value ? "Cancel" : "Clear"}
          </Button>
        </div>
      </div>
      <div class="wonda-buttons">
        <span class="wonda-saved-file" hidden={!mayEdit}>
          <input
            type="file"
            accept=".json,application/json"
            class="wonda-file"
            aria-label="Import from a JSON file"
            onChange={async ({ currentTarget }) => {
              const file = currentTarget.files?.[0];
              currentTarget.value = "";
              if (file) panel.send({ type: "load", name: file.name }, [await file.arrayBuffer()]);
            }}
          />
          <span class="wonda-button wonda-small" aria-hidden="true">
            Import…
          </span>
        </span>
        <Button
          small
          hidden={!snippets.length}
          onPress={() => panel.send({ type: "download", view: viewId })}
        >
          Export
        </Button>
        <span class="wonda-note" role="status">
          {panel.get("note")}
        </span>
      </div>
    </>
  );
}
