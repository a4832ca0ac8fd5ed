// The kinds of panels by the name in their trait `_panel`.

import type { PanelKind } from "../runtime/view";

const kinds = new Map<string, PanelKind>();

/** Add the kinds of the bundle. */
export function addKinds(added: Record<string, PanelKind>): void {
  for (const [name, kind] of Object.entries(added)) kinds.set(name, kind);
}

export const panelKind = (name: string): PanelKind | undefined => kinds.get(name);
