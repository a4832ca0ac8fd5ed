// The prompt templates: one, or several with names.

import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { usePanel } from "../../runtime/context";
import { useDraftOf } from "../../runtime/draft";
import { useFocusLater } from "../../runtime/focus";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { ChooseSavedFile, DropSavedFile, SavedFileNote, useSavedFile } from "../../ui/saved_file";
import { SnippetMenu } from "../../ui/snippet_menu";
import { isTable } from "./table_field";
import { TemplateInput } from "./template_input";
import type { LabTraits, Template } from "./traits";

const PAUSE = 120; // milliseconds
const HELP =
  "Write {subject} where the prompt varies; its values come from a field below or a column of " +
  "the table. {red|blue} tries both.";

interface Props {
  error: string;
  /** Registers a function that saves what is typed, and returns one that removes it. */
  register: (name: string) => (take: () => void) => () => void;
  onUnsent: (place: number, isUnsent: boolean) => void;
  /** Receives a CSV file that was dropped on a template. */
  onTable: (file: File) => void;
}

export function Templates({ error, register, onUnsent, onTable }: Props) {
  const panel = usePanel<LabTraits>();
  const box = useRef<HTMLDivElement>(null);
  const file = useSavedFile();
  const lastFocused = useRef<HTMLTextAreaElement>(null);
  const undo = useRef<HTMLButtonElement>(null);
  const adder = useRef<HTMLButtonElement>(null);
  const focusLater = useFocusLater();
  const removed = useSignal<{ template: Template; place: number } | null>(null); // for Undo
  const templates = panel.get("templates");
  const inputs = () => [...(box.current?.querySelectorAll("textarea") ?? [])];
  const change = (place: number, changes: Partial<Template>) =>
    panel.set({
      templates: panel
        .peek("templates")
        .map((each, index) => (index === place ? { ...each, ...changes } : each)),
    });
  return (
    <div
      class="wonda-templates"
      ref={box}
      onFocusIn={({ target }) => {
        if (target instanceof HTMLTextAreaElement) lastFocused.current = target;
      }}
    >
      <DropSavedFile
        onDrop={(dropped) => (isTable(dropped) ? onTable(dropped) : file.read(dropped))}
      >
        {templates.map((template, place) => (
          <TemplateField
            key={place}
            place={place}
            isOnly={templates.length === 1}
            help={place === 0 ? HELP : ""}
            error={place === templates.length - 1 ? error : ""}
            register={register(`template ${place}`)}
            onUnsent={(isUnsent) => onUnsent(place, isUnsent)}
            onChange={(changes) => change(place, changes)}
            onRemove={() => {
              // Not a text area: while it has the focus, its text does not follow the trait.
              focusLater(() => undo.current);
              const { [place]: template } = panel.peek("templates");
              if (template) removed.value = { template, place };
              panel.set({ templates: panel.peek("templates").filter((_, at) => at !== place) });
            }}
            template={template}
          />
        ))}
      </DropSavedFile>
      <div class="wonda-file-note" role="status" hidden={!removed.value}>
        <span>Template {letterOf(removed.value?.place ?? 0)} is removed.</span>
        <Button
          small
          elementRef={undo}
          onPress={() => {
            if (!removed.value) return;
            const { template, place } = removed.value;
            removed.value = null;
            focusLater(() => adder.current);
            const restored = panel.peek("templates").toSpliced(place, 0, template);
            panel.set({ templates: restored });
          }}
        >
          Undo
        </Button>
      </div>
      <SavedFileNote file={file} />
      <div class="wonda-buttons">
        <Button
          small
          elementRef={adder}
          onPress={() => {
            removed.value = null;
            focusLater(() => inputs().at(-1));
            // The copy is where most people start: they change some words.
            const { text = "" } = panel.peek("templates").at(-1) ?? {};
            panel.set({ templates: [...panel.peek("templates"), { name: "", text }] });
          }}
        >
          Add template
        </Button>
        <SnippetMenu into={() => lastFocused.current ?? inputs().at(-1)} />
        <ChooseSavedFile file={file} />
      </div>
    </div>
  );
}

interface FieldProps {
  template: Template;
  place: number;
  isOnly: boolean;
  help: string;
  error: string;
  register: (take: () => void) => () => void;
  onUnsent: (isUnsent: boolean) => void;
  onChange: (changes: Partial<Template>) => void;
  onRemove: () => void;
}

function TemplateField({ place, isOnly, help, error, onChange, onRemove, ...props }: FieldProps) {
  const panel = usePanel<LabTraits>();
  const options = { delay: PAUSE };
  const text = useComputed(() => panel.get("templates")[place]?.text ?? "");
  const name = useComputed(() => panel.get("templates")[place]?.name ?? "");
  const draft = useDraftOf<HTMLTextAreaElement>(text, (text) => onChange({ text }), options);
  const nameDraft = useDraftOf<HTMLInputElement>(name, (name) => onChange({ name }), options);
  const latest = useRef(() => {});
  latest.current = () => {
    draft.save();
    nameDraft.save();
  };
  useLayoutEffect(() => props.register(() => latest.current()), []);
  const onUnsent = useRef(props.onUnsent);
  onUnsent.current = props.onUnsent;
  useLayoutEffect(() => {
    onUnsent.current(draft.isUnsent);
    return () => onUnsent.current(false);
  }, [draft.isUnsent]);
  const letter = letterOf(place);
  return (
    <Field
      label={isOnly ? "Prompt template" : `Template ${letter}`}
      help={help}
      error={error}
      aside={
        !isOnly && (
          <span class="wonda-template-tools">
            <input
              {...nameDraft.control}
              type="text"
              class="wonda-input wonda-template-name"
              aria-label={`Name of template ${letter}`}
              placeholder={`Name: ${letter}`}
              maxLength={40}
            />
            <Button small label={`Remove template ${letter}`} onPress={onRemove}>
              ×
            </Button>
          </span>
        )
      }
    >
      {(control) => <TemplateInput control={control} draft={draft} />}
    </Field>
  );
}

/** The name of a template that has none, as the kernel calls it. */
const letterOf = (place: number) =>
  place < 26 ? String.fromCharCode(65 + place) : String(place + 1);
