// Adds a full-size view and a side-by-side comparison. The page is complete without it.
(() => {
  "use strict";

  const element = (tag, attributes = {}, ...children) => {
    const created = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
    created.append(...children);
    return created;
  };
  const button = (label, onClick, attributes = {}) => {
    const created = element("button", { type: "button", ...attributes }, label);
    created.addEventListener("click", onClick);
    return created;
  };

  const images = [...document.querySelectorAll("figure > img")];
  if (!images.length || !HTMLDialogElement.prototype.showModal) return;

  const position = element("p", { class: "position", role: "status" });
  const previous = button("Previous", () => step(-1));
  const next = button("Next", () => step(1));
  const close = button("Close", () => dialog.close());
  const shown = element("div", { class: "shown" });
  const bar = element("div", { class: "bar" }, position, previous, next, close);
  const dialog = element("dialog", { "aria-label": "Image" }, bar, shown);
  const hint = element("p", { class: "hint", role: "status" });
  document.querySelector("main").append(hint, dialog);

  let current = 0; // index of the image in the full-size view
  let selected = []; // at most two images to compare

  const clone = (node) => node.cloneNode(true);
  const isText = (node) => node.nodeName !== "BUTTON";
  const figureOf = (image) => {
    const heading = image.closest("article").querySelector("h2").textContent;
    const caption = image.closest("figure").querySelector("figcaption");
    const text = element("figcaption", { dir: "auto" }, heading);
    if (caption) text.append(element("br"), ...[...caption.childNodes].filter(isText).map(clone));
    return element("figure", {}, clone(image), text);
  };

  const show = (some) => {
    shown.replaceChildren(...some.map(figureOf));
    const single = some.length === 1;
    previous.hidden = next.hidden = !single || images.length < 2;
    position.textContent = single ? `${current + 1} of ${images.length}` : "Side by side";
    dialog.setAttribute("aria-label", single ? "Image" : "Two images side by side");
    if (!dialog.open) dialog.showModal();
  };
  const open = (index) => {
    current = (index + images.length) % images.length;
    show([images[current]]);
  };
  const step = (by) => {
    if (!previous.hidden) open(current + by);
  };

  const toggle = (image) => {
    selected = selected.includes(image)
      ? selected.filter((other) => other !== image)
      : [...selected, image];
    if (selected.length === 2) show(selected);
    renderSelection();
  };
  const renderSelection = () => {
    for (const [index, each] of compareButtons.entries()) {
      each.setAttribute("aria-pressed", String(selected.includes(images[index])));
    }
    hint.textContent =
      selected.length === 1 ? "One image is selected. Choose another to compare them." : "";
  };

  const compareButtons = images.map((image, index) => {
    const opener = button("", () => open(index), { class: "open", "aria-haspopup": "dialog" });
    image.replaceWith(opener);
    opener.append(image);
    const label = `Compare: ${image.alt}`;
    const attributes = { class: "choose", "aria-label": label, "aria-pressed": "false" };
    const compare = button("Compare", () => toggle(image), attributes);
    compare.hidden = images.length < 2;
    const caption = opener.parentElement.querySelector("figcaption");
    (caption ?? opener).after(compare);
    return compare;
  });

  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    step(by);
  });
  dialog.addEventListener("close", () => {
    const single = selected.length < 2;
    // Return the focus to the image or "Compare" button that was used last.
    const last = single
      ? images[current].parentElement
      : compareButtons[images.indexOf(selected[1])];
    if (!single) selected = [];
    renderSelection();
    shown.replaceChildren();
    last.focus();
  });
})();
