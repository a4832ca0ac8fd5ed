// The theme of a page that shows panels in shadow roots, as marimo does.
//
// A selector in `tokens.css` cannot see the body from there: Firefox and Safari have no
// `:host-context`. So each panel has the theme as an attribute.

import { signal } from "@preact/signals";

const DARK = ".dark, [data-theme='dark']";

const isDark = () => document.body.matches(DARK);

const dark = signal(isDark());
new MutationObserver(() => {
  dark.value = isDark();
}).observe(document.body, { attributeFilter: ["class", "data-theme"] });

/** The value of a panel's `data-wonda-theme`; rendered again when the page's theme changes. */
export const themeAttribute = (): "dark" | undefined => (dark.value ? "dark" : undefined);
