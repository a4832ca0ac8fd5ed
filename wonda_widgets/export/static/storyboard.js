// Looking closely and side by side. The page is whole without it: only what this adds needs it.
(() => {
  "use strict";

  const element = (tag, facts = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(facts)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const button = (label, act, facts = {}) => {
    const made = element("button", { type: "button", ...facts }, label);
    made.addEventListener("click", act);
    return made;
  };

  const images = [...document.querySelectorAll("figure > img")];
  if (!images.length || !HTMLDialogElement.prototype.showModal) return;

  const at = element("p", { class: "at", role: "status" });
  const back = button("Previous", () => step(-1));
  const forth = button("Next", () => step(1));
  const close = button("Close", () => dialog.close());
  const shown = element("div", { class: "shown" });
  const bar = element("div", { class: "bar" }, at, back, forth, close);
  const dialog = element("dialog", { "aria-label": "Image" }, bar, shown);
  const hint = element("p", { class: "hint", role: "status" });
  document.querySelector("main").append(hint, dialog);

  let current = 0;
  let chosen = [];

  const copy = (image) => {
    const heading = image.closest("article").querySelector("h2").textContent;
    const caption = image.closest("figure").querySelector("figcaption");
    const words = element("figcaption", { dir: "auto" }, heading);
    if (caption) words.append(element("br"), ...[...caption.childNodes].filter(isWords).map(clone));
    return element("figure", {}, clone(image), words);
  };
  const clone = (node) => node.cloneNode(true);
  const isWords = (node) => node.nodeName !== "BUTTON";

  const show = (some) => {
    shown.replaceChildren(...some.map(copy));
    const alone = some.length === 1;
    back.hidden = forth.hidden = !alone || images.length < 2;
    at.textContent = alone ? `${current + 1} of ${images.length}` : "Side by side";
    dialog.setAttribute("aria-label", alone ? "Image" : "Two images side by side");
    if (!dialog.open) dialog.showModal();
  };
  const look = (index) => {
    current = (index + images.length) % images.length;
    show([images[current]]);
  };
  const step = (by) => {
    if (!back.hidden) look(current + by);
  };

  const choose = (image) => {
    chosen = chosen.includes(image)
      ? chosen.filter((other) => other !== image)
      : [...chosen, image];
    if (chosen.length === 2) show(chosen);
    tell();
  };
  const tell = () => {
    for (const [index, each] of choices.entries()) {
      each.setAttribute("aria-pressed", String(chosen.includes(images[index])));
    }
    hint.textContent = chosen.length === 1 ? "One is chosen. Choose another to compare them." : "";
  };

  const choices = images.map((image, index) => {
    const open = button("", () => look(index), { class: "open", "aria-haspopup": "dialog" });
    image.replaceWith(open);
    open.append(image);
    const label = `Compare: ${image.alt}`;
    const facts = { class: "choose", "aria-label": label, "aria-pressed": "false" };
    const choice = button("Compare", () => choose(image), facts);
    choice.hidden = images.length < 2;
    const caption = open.parentElement.querySelector("figcaption");
    (caption ?? open).after(choice);
    return choice;
  });

  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    step(by);
  });
  dialog.addEventListener("close", () => {
    const alone = chosen.length < 2;
    const last = alone ? images[current].parentElement : choices[images.indexOf(chosen[1])];
    if (!alone) chosen = [];
    tell();
    shown.replaceChildren();
    last.focus(); // where one was when one went on
  });
})();
