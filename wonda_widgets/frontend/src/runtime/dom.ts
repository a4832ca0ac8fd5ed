// Helpers for elements, which may be in a shadow root.

/** The element that has the focus in the document or shadow root of `node`. */
export function focusedElement(node: Node): Element | null {
  return (node.getRootNode() as Document | ShadowRoot).activeElement ?? null;
}

/** Whether `node` or an element in it has the focus. */
export const hasFocus = (node: Node | null): boolean =>
  node?.contains(focusedElement(node)) ?? false;

/** The innermost target of an event, also in a shadow root. */
export const targetOf = (event: Event): Element => event.composedPath()[0] as Element;

/** Whether an event happened in an element. */
export const isWithin = (event: Event, root: Element): boolean =>
  event.composedPath().includes(root);

/** Whether the page is served by Voilà, and is thus not a notebook. */
export const isVoila = (): boolean => "voila" in document.body.dataset;

/** Whether the page is marimo's, where an output cannot be replaced by another. */
export const isMarimo = (): boolean => customElements.get("marimo-anywidget") !== undefined;

/** Class names joined; empty ones are left out. */
export const classes = (...names: (string | false | null | undefined)[]): string =>
  names.filter(Boolean).join(" ");
