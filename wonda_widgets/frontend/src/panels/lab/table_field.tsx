// A table of values, from a CSV file: what is in it, and how to remove it.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { usePanel } from "../../runtime/context";
import { useDelivery } from "../../runtime/delivery";
import { fileDrop } from "../../runtime/drop";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import type { LabTraits } from "./traits";

const MAX_BYTES = 5_000_000; // a front end's websocket accepts messages of up to 10 MB

export function TableField({ error }: { error: string }) {
  const panel = usePanel<LabTraits>();
  const delivery = useDelivery();
  const input = useRef<HTMLInputElement>(null);
  const drop = useRef<HTMLDivElement>(null);
  const { name, columns = [], rows = [], count = 0 } = panel.get("table");
  const problem = useSignal(""); // of the last file, until another one is chosen

  const read = async (file: File | undefined) => {
    if (!file) return;
    problem.value = "";
    if (file.size > MAX_BYTES) {
      problem.value = `${file.name} is larger than 5 MB. Pass it from code, with table=.`;
      return;
    }
    try {
      const content = await file.arrayBuffer();
      delivery.send({ type: "table_file", name: file.name }, [content]);
    } catch {
      problem.value = `${file.name} cannot be read. Choose it again.`;
    }
  };
  const more = count - rows.length;
  const alert = panel.get("error");
  const refusal = alert?.field === "table" ? `${alert.title} ${alert.text}`.trim() : "";
  return (
    <div {...fileDrop(drop, ([first]) => read(first))}>
      <Field
        label="Table of values"
        error={problem.value || refusal || error}
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
                read(currentTarget.files?.[0]);
                currentTarget.value = "";
              }}
            />
            <span aria-hidden="true">
              {columns.length ? "Drop another CSV file" : "Drop a CSV file"} or click to choose
            </span>
          </div>
        )}
      </Field>
    </div>
  );
}
