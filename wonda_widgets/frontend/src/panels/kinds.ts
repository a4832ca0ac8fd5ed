// The kinds of panels by the name in their trait `_panel`.
//
// `index.ts` fills the map, because a composite shows any kind and would import itself.

import type { PanelKind } from "../ui/panel_view";

const kinds = new Map<string, PanelKind>();

/** Add the kinds of the bundle. */
export function addKinds(added: Record<string, PanelKind>): void {
  for (const [name, kind] of Object.entries(added)) kinds.set(name, kind);
}

/** The kind with a name; an error if the bundle has none, as when it is of another version. */
export function panelKind(name: string): PanelKind {
  const kind = kinds.get(name);
  if (!kind) throw new Error(`There is no panel ${name}.`);
  return kind;
}
