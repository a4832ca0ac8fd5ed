// A document for tests that render panels. Import it before everything else.

import { Window } from "happy-dom";
import { options } from "preact";

const window = new Window({ url: "http://127.0.0.1/" });
const page = globalThis as unknown as Record<string, unknown>;
const NAMES = [
  "document",
  "Document",
  "Element",
  "HTMLElement",
  "Node",
  "ShadowRoot",
  "Event",
  "KeyboardEvent",
  "MouseEvent",
  "FocusEvent",
  "InputEvent",
  "ResizeObserver",
  "MutationObserver",
  "CSS",
  "CSSStyleSheet",
  "requestAnimationFrame",
  "cancelAnimationFrame",
  "sessionStorage",
];
page.window = window;
// Newer versions of Node.js have a read-only one.
Object.defineProperty(page, "navigator", { value: window.navigator, configurable: true });
for (const name of NAMES) page[name] = (window as unknown as Record<string, unknown>)[name];

// Effects run in order, not after a time that a busy machine exceeds.
options.requestAnimationFrame = (callback) => setTimeout(callback);
