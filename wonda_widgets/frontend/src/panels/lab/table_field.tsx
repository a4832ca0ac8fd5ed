// A table of values, from a CSV file or pasted: what is in it, and how to remove it.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { usePanel } from "../../runtime/context";
import { useDelivery } from "../../runtime/delivery";
import { fileDrop } from "../../runtime/drop";
import { useFocusLater } from "../../runtime/focus";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import type { LabTraits } from "./traits";

const MAX_BYTES = 5_000_000; // a front end's websocket accepts messages of up to 10 MB
const PASTED = "Pasted rows";

/** Send a table to the kernel; tell what is wrong with the file. */
export function useTableFile() {
  const delivery = useDelivery();
  const problem = useSignal(""); // of the last file, until another one is chosen
  const send = (name: string, content: ArrayBuffer) =>
    delivery.send({ type: "table_file", name }, [content]);
  const read = async (file: File | undefined) => {
    if (!file) return;
    problem.value = "";
    if (file.size > MAX_BYTES) {
      problem.value = `${file.name} is larger than 5 MB. Pass it from code, with table=.`;
      return;
    }
    try {
      send(file.name, await file.arrayBuffer());
    } catch {
      problem.value = `${file.name} cannot be read. Choose it again.`;
    }
  };
  const paste = (text: string) => {
    problem.value = "";
    send(PASTED, new TextEncoder().encode(text).buffer);
  };
  return { read, paste, problem: problem.value };
}

export const isTable = ({ name }: File) => /\.(csv|tsv)$/i.test(name);

type TableFile = ReturnType<typeof useTableFile>;

export function TableField({ file, error }: { file: TableFile; error: string }) {
  const panel = usePanel<LabTraits>();
  const input = useRef<HTMLInputElement>(null);
  const drop = useRef<HTMLDivElement>(null);
  const { name, columns = [], rows = [], count = 0 } = panel.get("table");
  const more = count - rows.length;
  const alert = panel.get("error");
  const refusal = alert?.field === "table" ? `${alert.title} ${alert.text}`.trim() : "";
  return (
    <div {...fileDrop(drop, ([first]) => file.read(first))}>
      <Field
        label="Table of values"
        error={file.problem || refusal || error}
        aside={
          columns.length > 0 && (
            <span class="wonda-count">
              {name}: {count} {count === 1 ? "row" : "rows"}
            </span>
          )
        }
        after={
          columns.length > 0 && (
            <div class="wonda-table-view">
              {/* biome-ignore lint/a11y/useSemanticElements: a fieldset has no table */}
              <div
                class="wonda-table-scroll"
                // biome-ignore lint/a11y/noNoninteractiveTabindex: keys must reach what scrolls
                tabIndex={0}
                role="group"
                aria-label={`Rows of ${name}`}
              >
                <table class="wonda-table">
                  <thead>
                    <tr>
                      {columns.map((column) => (
                        <th scope="col" key={column}>
                          {column}
                        </th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {rows.map((row, index) => (
                      <tr key={index}>
                        {row.map((cell, at) => (
                          <td key={columns[at]} dir="auto">
                            {cell}
                          </td>
                        ))}
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <p class="wonda-help">{more > 0 && `and ${more} more`}</p>
              <div class="wonda-buttons">
                <Button
                  small
                  onPress={() => {
                    input.current?.focus();
                    panel.send({ type: "remove_table" });
                  }}
                >
                  Remove table
                </Button>
              </div>
            </div>
          )
        }
      >
        {(control) => (
          <div class="wonda-drop" ref={drop}>
            <input
              {...control}
              ref={input}
              type="file"
              accept=".csv,.tsv,text/csv,text/tab-separated-values"
              class="wonda-file"
              onChange={({ currentTarget }) => {
                file.read(currentTarget.files?.[0]);
                currentTarget.value = "";
              }}
            />
            <span aria-hidden="true">
              {columns.length ? "Drop another CSV file" : "Drop a CSV file"} or click to choose
            </span>
          </div>
        )}
      </Field>
      <PasteRows onUse={file.paste} />
    </div>
  );
}

/** A text area for rows from a spreadsheet; it stays open until they are used. */
function PasteRows({ onUse }: { onUse: (text: string) => void }) {
  const table = usePanel<LabTraits>().get("table");
  const isOpen = useSignal(false);
  const text = useSignal("");
  const opener = useRef<HTMLButtonElement>(null);
  const focusLater = useFocusLater();
  const isSent = useRef(false);
  useEffect(() => {
    if (!isSent.current) return;
    isSent.current = false;
    isOpen.value = false;
    focusLater(() => opener.current);
  }, [table]);
  return (
    <div class="wonda-paste">
      <div class="wonda-buttons">
        <Button
          small
          elementRef={opener}
          pressed={isOpen.value}
          onPress={() => {
            isOpen.value = !isOpen.peek();
          }}
        >
          Paste rows…
        </Button>
      </div>
      {isOpen.value && (
        <>
          <Field
            label="Rows"
            help="Copy them from a spreadsheet, with the column names in the first row, or write CSV."
          >
            {(control) => (
              <textarea
                {...control}
                class="wonda-input wonda-rows"
                dir="auto"
                rows={5}
                spellcheck={false}
                value={text.value}
                onInput={(event) => {
                  text.value = event.currentTarget.value;
                }}
              />
            )}
          </Field>
          <div class="wonda-buttons">
            <Button
              small
              off={!text.value.trim()}
              onPress={() => {
                isSent.current = true;
                onUse(text.peek());
              }}
            >
              Use these rows
            </Button>
          </div>
        </>
      )}
    </div>
  );
}
