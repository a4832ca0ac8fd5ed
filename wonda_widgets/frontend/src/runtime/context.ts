// The panel of a component, without passing it through all components above.

import { createContext } from "preact";
import { useContext, useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Message, Panel } from "./panel";

export const PanelContext = createContext<Panel | null>(null);

/** The panel around a component, with the traits `T`. */
export function usePanel<T extends object = object>(): Panel<T> {
  const panel = useContext(PanelContext);
  if (!panel) throw new Error("This component must be inside a panel.");
  return panel as unknown as Panel<T>;
}

/** Receive the messages of the kernel. */
export function useMessages(listener: (content: Message, buffers: DataView[]) => void): void {
  const panel = usePanel();
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => panel.onMessage((content, buffers) => latest.current(content, buffers)), [panel]);
}

let ids = 0;

/** A unique ID on the page, the same for each rendering. `useId` is unique only in one tree. */
export function useUid(name: string): string {
  return useMemo(() => uid(name), [name]);
}

/** A unique ID on the page. */
export const uid = (name: string): string => `wonda-${name}-${Date.now().toString(36)}-${ids++}`;

/** Hide the panel while it has nothing to show. */
export function useHidden(isHidden: boolean): void {
  const panel = usePanel();
  useLayoutEffect(() => {
    panel.isHidden.value = isHidden;
  }, [panel, isHidden]);
}
