// The traits of `EditForm`, see `widgets/edit_form.py`.

import type { Size } from "../../logic/crop";

/** An operation as JSON; its fields depend on the tool. */
export type Operation = Record<string, unknown>;

export type ToolName = "crop" | "pad" | "resize" | "text" | "encode";

export interface EditTraits {
  state: "empty" | "loading" | "ready" | "broken";
  data: DataView | null;
  mime_type: string;
  alt: string;
  shown_size: Size;
  base_size: Size;
  facts: string;
  original_facts: string;
  tool: ToolName | "";
  draft: Operation;
  draft_problem: string;
  changes: string[];
  can_undo: boolean;
  can_redo: boolean;
  defaults: Record<string, Operation>;
  fonts: string[];
  step: "editing" | "sending";
  upload: { media_id?: string; facts?: string; in_use?: boolean };
}
