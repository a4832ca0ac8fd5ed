// `PromptForm`: prompt, model, parameters, reference images and `Generate`.

import { useSignal, useSignalEffect } from "@preact/signals";
import { Fragment } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { own } from "../logic/own";
import { type ModelSpec, mostReferences, selectedModel, valuesFor } from "../logic/parameter";
import { usePanel } from "../runtime/context";
import { useDelivery } from "../runtime/delivery";
import { hasFocus } from "../runtime/dom";
import { useDraft } from "../runtime/draft";
import { isSubmit, useHotkeys } from "../runtime/keys";
import { AlertBox } from "../ui/alert";
import { Button } from "../ui/button";
import { Field } from "../ui/field";
import { KindChoice } from "../ui/kind_choice";
import { Parameter } from "../ui/parameter";
import { References, type ReferenceTraits } from "../ui/references";
import {
  ChooseSavedFile,
  DropSavedFile,
  SavedFileNote,
  type SavedFileTraits,
  useSavedFile,
} from "../ui/saved_file";
import { Select } from "../ui/select";
import { SnippetMenu, type SnippetTraits } from "../ui/snippet_menu";

interface Traits extends ReferenceTraits, SavedFileTraits, SnippetTraits {
  prompt: string;
  models: ModelSpec[];
  kind: "image" | "video";
  model: string;
  params: Record<string, unknown>;
  price: string;
  note: string;
  state: "loading" | "unavailable" | "ready" | "sending" | "running" | "unknown";
}

const PLACEHOLDERS = {
  image: "Describe the image: subject, light, lens, mood",
  video: "Describe the video: subject, movement, camera, light",
};

const isMac = () => /Mac|iPhone|iPad/.test(navigator.platform);

/** What happens to a placeholder, which only a template of the lab has values for. */
function placeholderNote(prompt: string): string | undefined {
  const [placeholder] = /\{[\p{L}_][^{}:|]*\}/u.exec(prompt) ?? [];
  return placeholder && `“${placeholder}” is sent as it is, with its braces.`;
}

export function PromptForm() {
  const panel = usePanel<Traits>();
  const isRetyped = useSignal(false); // the prompt, after an error about it
  const prompt = useDraft<HTMLTextAreaElement>("prompt", {
    onInput: () => {
      isRetyped.value = true;
    },
  });
  useSignalEffect(() => {
    panel.get("error");
    isRetyped.value = false;
  });
  const delivery = useDelivery();
  const file = useSavedFile();
  const readers = useRef(new Map<string, () => unknown>());
  const latest = useRef<Record<string, string>>({}); // the model that was selected, by kind
  const typed = useRef<Record<string, unknown>>({}); // also of models that were selected before

  const state = panel.get("state");
  const all = panel.get("models");
  const kind = panel.get("kind");
  const models = all.filter((model) => model.kind === kind);
  const chosen = selectedModel(all, kind, panel.get("model"));
  const params = panel.get("params");
  const place = useErrorPlace(chosen);
  const register = useMemo(
    () => (name: string, read: () => unknown) => readers.current.set(name, read),
    [],
  );

  /** The values as typed now, of the current model. */
  const values = () => {
    const model = selectedModel(panel.peek("models"), panel.peek("kind"), panel.peek("model"));
    const read = (model?.fields ?? []).map(({ name }) => [name, readers.current.get(name)?.()]);
    return Object.fromEntries(read.filter(([, value]) => value !== undefined));
  };
  const change = (name: string, value: unknown) => {
    const next = { ...values(), [name]: value };
    if (value === undefined) delete next[name];
    panel.set({ params: next });
  };
  const selectModel = (next: ModelSpec | undefined) => {
    if (!next) return;
    typed.current = { ...typed.current, ...values() };
    latest.current[kind] = panel.peek("model");
    panel.set({
      kind: next.kind,
      model: next.key,
      params: valuesFor(next.fields, typed.current),
    });
  };
  const selectKind = (next: string) =>
    selectModel(
      selectedModel(all, next, latest.current[next] ?? "") ??
        all.find((model) => model.kind === next),
    );
  const isReady = () => panel.peek("state") === "ready" && !delivery.waiting;
  const submit = () => {
    if (!isReady()) return;
    prompt.save();
    delivery.send({
      type: "submit",
      prompt: prompt.text.peek(),
      kind: panel.peek("kind"),
      model: panel.peek("model"),
      params: values(),
    });
  };
  useHotkeys({ matches: isSubmit, act: submit });

  const needsPrompt = chosen?.needs_prompt ?? true;
  const alert = (
    <AlertBox>
      <div class="wonda-buttons" hidden={state !== "unavailable" && state !== "unknown"}>
        <Button
          small
          hidden={state !== "unavailable"}
          onPress={() => panel.send({ type: "reload" })}
        >
          Try again
        </Button>
        <Button
          small
          hidden={state !== "unknown"}
          onPress={() => panel.send({ type: "dismiss_unknown" })}
        >
          I’ve checked, continue
        </Button>
      </div>
    </AlertBox>
  );
  const alertAt = (name: string) => place === name && alert;
  return (
    <>
      <KindChoice
        models={all}
        value={kind}
        disabled={state === "loading" || state === "unavailable"}
        onChange={selectKind}
      />
      <Field
        name="prompt"
        label={needsPrompt ? "Prompt" : "Prompt (optional)"}
        help={placeholderNote(prompt.text.value)}
        invalid={place === "prompt" && !isRetyped.value}
        aside={
          <span class="wonda-prompt-tools">
            <SnippetMenu into={() => prompt.control.ref.current} />
            <ChooseSavedFile file={file} />
          </span>
        }
      >
        {(control) => (
          <DropSavedFile onDrop={file.read}>
            <textarea
              {...control}
              {...prompt.control}
              class="wonda-input"
              rows={4}
              placeholder={
                needsPrompt
                  ? PLACEHOLDERS[kind]
                  : "This model uses a reference image; no prompt is needed"
              }
            />
          </DropSavedFile>
        )}
      </Field>
      {alertAt("prompt")}
      <SavedFileNote file={file} />
      <Field
        name="model"
        label="Model"
        invalid={place === "model"}
        aside={<span class="wonda-count">{chosen?.help ?? ""}</span>}
      >
        {(control) => (
          <Select
            {...control}
            options={
              models.length ? models.map(modelOption) : [{ value: panel.get("model"), label: "…" }]
            }
            value={panel.get("model")}
            disabled={state === "loading" || state === "unavailable"}
            onChange={(key) => selectModel(selectedModel(all, kind, key))}
          />
        )}
      </Field>
      {alertAt("model")}
      <div class="wonda-params">
        {(chosen?.fields ?? []).map((spec) => (
          <Fragment key={`${kind} ${chosen?.key} ${spec.name}`}>
            <Parameter
              spec={spec}
              value={own(params, spec.name) ?? spec.default ?? undefined}
              invalid={place === `params.${spec.name}`}
              onChange={(value) => change(spec.name, value)}
              register={register}
            />
            {alertAt(`params.${spec.name}`)}
          </Fragment>
        ))}
      </div>
      <References most={mostReferences(chosen ? [chosen] : [])} invalid={place === "references"} />
      {alertAt("references")}
      <div class="wonda-go">
        <Button primary off={state !== "ready" || delivery.waiting} onPress={submit}>
          Generate
        </Button>
        <span class="wonda-price">
          {state === "loading" ? "Loading models…" : panel.get("price")}
        </span>
        <span class="wonda-keys" aria-hidden="true">
          {isMac() ? "⌘ ↵" : "Ctrl ↵"}
        </span>
      </div>
      <p class="wonda-note" role="status">
        {delivery.note || panel.get("note")}
      </p>
      {alertAt("")}
    </>
  );
}

const modelOption = ({ key, name, needs_prompt }: ModelSpec) => ({
  value: key,
  label: needs_prompt ? name : `${name} (needs an image)`,
});

/**
 * The field that the panel's error concerns, at which it is shown; "" for none.
 *
 * A new error moves the focus to its field, but only from inside the panel, because the user may be
 * typing elsewhere by now.
 */
function useErrorPlace(chosen: ModelSpec | undefined): string {
  const panel = usePanel<Traits>();
  const error = panel.get("error");
  const field = error?.field ?? "";
  const isKnown =
    ["prompt", "model", "references"].includes(field) ||
    chosen?.fields.some(({ name }) => field === `params.${name}`);
  const place = isKnown ? field : "";
  useLayoutEffect(() => {
    if (!place || !hasFocus(panel.root)) return;
    const field = panel.root.querySelector(`[data-field="${CSS.escape(place)}"]`);
    field?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [error, place, panel]);
  return place;
}
