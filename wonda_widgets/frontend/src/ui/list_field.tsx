// A field for several values, shown as chips with a box to add more.
//
// Enter adds a value, Backspace in an empty box removes the last one. A value may contain commas;
// a pasted list has one value per line.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { addValues, parsePastedList } from "../logic/list_values";
import { useFocusLater } from "../runtime/focus";
import { Field } from "./field";
import { Isolated } from "./isolated";
import { ActionSelect } from "./select";

interface Props {
  label: string;
  values: unknown[];
  onChange: (values: unknown[]) => void;
  /** The values that can be chosen; without them, values are typed. */
  options?: unknown[];
  /** The value that applies while the list is empty. */
  defaultValue?: unknown;
  /** The text of a value; by default the value itself. */
  textOf?: (value: unknown) => string;
  /** A value from typed text; by default the text itself. */
  parse?: (text: string) => unknown;
  error: string;
  /**
   * Registers a function that adds the text in the box, if there is any, and returns one that
   * removes it.
   */
  register?: (take: () => void) => () => void;
}

export function ListField(props: Props) {
  const { label, values, options, defaultValue, textOf = String, parse = String } = props;
  const text = useSignal("");
  const double = useSignal("");
  const input = useRef<HTMLInputElement>(null);
  const select = useRef<HTMLSelectElement>(null);
  const focusLater = useFocusLater();
  const hasDefault = !values.length && defaultValue != null;
  // Adding to the default keeps it: what is visible is what will be generated.
  const visible = hasDefault ? [defaultValue] : values;

  const add = (more: unknown[]) => {
    const result = addValues(visible, more);
    double.value =
      result.double === undefined ? "" : `“${textOf(result.double)}” is already in the list.`;
    if (result.values !== visible) props.onChange(result.values);
  };
  const remove = (index: number) => {
    double.value = "";
    focusLater(() => input.current ?? select.current); // the select may be hidden until then
    props.onChange(values.filter((_, at) => at !== index));
  };
  const take = () => {
    const typed = text.peek().trim();
    text.value = "";
    if (typed) add([parse(typed)]);
  };
  const latestTake = useRef(take);
  latestTake.current = take;
  useLayoutEffect(() => props.register?.(() => latestTake.current()), []);
  const rest = options?.filter((option) => !visible.includes(option)) ?? [];
  return (
    <Field label={label} error={double.value || props.error}>
      {(control) => (
        // biome-ignore lint/a11y/noStaticElementInteractions: a click beside the text moves the focus to the box
        // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the text moves the focus to the box
        <div
          class="wonda-chip-box"
          onClick={({ target, currentTarget }) => {
            if (target === currentTarget) (input.current ?? select.current)?.focus();
          }}
        >
          {/* biome-ignore lint/a11y/useSemanticElements: chips in the flow of the box */}
          <span class="wonda-chips" role="list" hidden={!visible.length}>
            {visible.map((value, index) => (
              // biome-ignore lint/a11y/useSemanticElements: see above
              <span
                key={`${typeof value} ${value}`}
                class={hasDefault ? "wonda-chip wonda-chip-default" : "wonda-chip"}
                role="listitem"
              >
                <Isolated text={textOf(value)} />
                {hasDefault ? (
                  <span class="wonda-count">default</span>
                ) : (
                  <button
                    type="button"
                    class="wonda-chip-shut"
                    aria-label={`Remove ${textOf(value)}`}
                    onClick={() => remove(index)}
                  >
                    ×
                  </button>
                )}
              </span>
            ))}
          </span>
          {options ? (
            <ActionSelect
              {...control}
              elementRef={select}
              className="wonda-chip-select"
              options={[
                { value: "", label: "add…" },
                ...rest.map((option) => ({ value: String(option), label: textOf(option) })),
              ]}
              hidden={!rest.length}
              onChange={(chosen) => add(options.filter((option) => String(option) === chosen))}
            />
          ) : (
            <input
              {...control}
              ref={input}
              type="text"
              dir="auto"
              class="wonda-chip-input"
              placeholder="type, then Enter"
              autocomplete="off"
              value={text.value}
              onInput={(event) => {
                text.value = event.currentTarget.value;
              }}
              onChange={take}
              onKeyDown={(event) => {
                if (event.isComposing || event.ctrlKey || event.metaKey) return;
                if (event.key === "Enter" && text.peek().trim()) {
                  event.preventDefault();
                  take();
                } else if (event.key === "Backspace" && !text.peek() && values.length) {
                  if (!event.repeat) remove(values.length - 1);
                }
              }}
              onPaste={(event) => {
                const list = parsePastedList(event.clipboardData?.getData("text") ?? "");
                if (!list) return;
                event.preventDefault();
                add(list.map(parse));
              }}
            />
          )}
        </div>
      )}
    </Field>
  );
}
