// A menu that inserts a snippet, as {style:noir}, where the cursor is.

import { usePanel } from "../runtime/context";
import { ActionSelect } from "./select";

export interface SnippetTraits {
  snippets: Record<string, string>;
}

const MAX_TITLE = 60; // characters of a snippet's text

export function SnippetMenu({ into }: { into: () => HTMLTextAreaElement | null | undefined }) {
  const panel = usePanel<SnippetTraits>();
  const snippets = Object.entries(panel.get("snippets"));
  return (
    <span
      class="wonda-snippet-menu"
      hidden={!snippets.length}
      onFocusIn={() => panel.send({ type: "list_snippets" })}
    >
      <ActionSelect
        options={[
          { value: "", label: "Insert snippet…" },
          ...snippets.map(([name, text]) => ({
            value: name,
            label: `${name}: ${text.slice(0, MAX_TITLE)}`,
          })),
        ]}
        aria-label="Insert snippet"
        onChange={(name) => {
          const area = into();
          if (!area) return;
          area.setRangeText(`{${name}}`, area.selectionStart, area.selectionEnd, "end");
          area.dispatchEvent(new Event("input", { bubbles: true }));
          area.focus();
        }}
      />
    </span>
  );
}
