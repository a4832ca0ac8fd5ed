// `Snippets`: the named pieces of prompts.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { usePanel, useUid } from "../runtime/context";
import { useDownloads } from "../runtime/downloads";
import { AlertBox } from "../ui/alert";
import { Button } from "../ui/button";
import { Field } from "../ui/field";
import type { SnippetTraits } from "../ui/snippet_menu";

interface Traits extends SnippetTraits {
  note: string;
}

export function Snippets() {
  const panel = usePanel<Traits>();
  const viewId = useUid("view");
  const former = useSignal(""); // the name of the snippet that is edited; empty for a new one
  const name = useSignal("");
  const text = useSignal("");
  const nameInput = useRef<HTMLInputElement>(null);
  useDownloads(viewId);
  const snippets = Object.entries(panel.get("snippets"));
  const mayEdit = panel.allows("generate");
  const edit = (chosen: string, content: string) => {
    former.value = name.value = chosen;
    text.value = content;
    nameInput.current?.focus();
  };
  const isReady = name.value.trim() !== "" && text.value.trim() !== "";
  return (
    <>
      <h3>Snippets</h3>
      <p class="wonda-help">
        Pieces of prompts with a name. A prompt or template uses one as {"{style:noir}"}.
      </p>
      <AlertBox />
      <ul class="wonda-snippets" aria-label="Snippets" hidden={!snippets.length}>
        {snippets.map(([each, content]) => (
          <li key={each}>
            <strong dir="auto">{each}</strong>
            <span dir="auto">{content}</span>
            <span class="wonda-buttons" hidden={!mayEdit}>
              <Button small label={`Edit ${each}`} onPress={() => edit(each, content)}>
                Edit
              </Button>
              <Button
                small
                label={`Remove ${each}`}
                onPress={() => {
                  panel.send({ type: "remove", name: each });
                  edit(each, content); // Save brings it back
                  former.value = "";
                }}
              >
                Remove
              </Button>
            </span>
          </li>
        ))}
      </ul>
      <div class="wonda-snippet-form" hidden={!mayEdit}>
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
              panel.send({
                type: "save",
                name: name.peek(),
                text: text.peek(),
                former: former.peek(),
              });
              former.value = name.peek().trim();
            }}
          >
            Save
          </Button>
          <Button small hidden={!name.value && !text.value} onPress={() => edit("", "")}>
            New
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
