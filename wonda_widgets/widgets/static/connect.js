const LONGEST = 200; // characters of a key
const SKIPPED = 16; // bytes of the pad, see _sealed.py

function power(base, exponent, prime) {
  let result = 1n;
  for (; exponent; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % prime;
    base = (base * base) % prime;
  }
  return result;
}
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Seal a text for the kernel alone, see _sealed.py; `crypto.subtle` is not everywhere. */
function sealed(text, shown) {
  const prime = BigInt(`0x${shown.prime}`);
  const secret = BigInt(`0x${hex(crypto.getRandomValues(new Uint8Array(32)))}`);
  const whole = power(BigInt(`0x${shown.half}`), secret, prime).toString(16);
  const pad = whole.padStart(shown.prime.length, "0").slice(2 * SKIPPED);
  const bytes = new TextEncoder().encode(text);
  return {
    half: power(2n, secret, prime).toString(16),
    sealed: hex(bytes.map((byte, at) => byte ^ parseInt(pad.slice(2 * at, 2 * at + 2), 16))),
  };
}

export default {
  render({ model, el }) {
    const panel = view(model, el, "connect");
    const { root, on, signal, end } = panel;

    const control = h("input", {
      type: "password",
      class: "wonda-input",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      placeholder: "sk_…",
      oninput() {
        key.say("");
      },
    });
    const key = field("API key", control, {
      help: `From your Wonda settings. It goes to ${model.get("host")} only: it is not in the notebook, its outputs or its logs.`,
    });
    const keep = h("input", { type: "checkbox", id: uid("keep") });
    const keepRow = h(
      "label",
      { class: "wonda-check" },
      keep,
      h("span", {}, "Keep it in this computer's keyring"),
    );
    const install = h("p", { class: "wonda-help" });
    const go = button("Connect", connect, { primary: true });
    const hint = h("span", { class: "wonda-price", role: "status" });
    const alert = alertBox(model);
    const editing = h(
      "div",
      { class: "wonda-connect-form" },
      key.node,
      h("div", { class: "wonda-keep" }, keepRow, install),
      h("div", { class: "wonda-go" }, go, hint),
      alert,
    );
    const name = h("code");
    const first = h(
      "div",
      { class: "wonda-first", role: "note" },
      h("p", {}, "The environment variable ", name, " is set and is used first."),
    );
    const plan = h("span");
    const leave = button("Disconnect", () => sent.send({ type: "disconnect" }), { small: true });
    const connected = h(
      "div",
      { class: "wonda-posted", tabindex: "-1" },
      h("p", { role: "status" }, h("strong", {}, "Connected."), " ", plan),
      leave,
    );
    const note = h("p", { class: "wonda-note", role: "status" });
    root.append(h("h3", {}, "Use your Wonda account"), first, editing, connected, note);

    let late = "";
    const sent = delivery(model, panel, (text) => {
      late = text;
      paint();
    });
    function connect() {
      if (isOff(go)) return;
      const text = control.value.trim();
      if (!text || text.length > LONGEST) {
        key.say(text ? "This is too long to be a key." : "Paste your key first.");
        control.focus();
        return;
      }
      const sure = control.getAttribute("aria-invalid") === "true";
      key.say("");
      sent.send({ type: "connect", ...sealed(text, model.get("seal")), keep: keep.checked, sure });
      paint();
    }
    function paint() {
      const checking = model.get("state") === "checking";
      turn(go, !checking && !sent.waiting);
      hint.textContent = late || (checking ? "Checking the key…" : "");
    }

    on("variable", () => {
      first.hidden = !model.get("variable");
      name.textContent = model.get("variable");
    });
    on("keyring", () => {
      const state = model.get("keyring");
      keepRow.hidden = state !== "usable";
      install.textContent = {
        missing: "It is kept until the kernel ends. To keep it longer, install keyring (pip install keyring) and restart the kernel.",
        unusable: "It is kept until the kernel ends. This computer has no keyring.",
      }[state] ?? "";
    });
    on("state plan variable", () => {
      const isIn = model.get("state") === "connected";
      const hadFocus = root.contains(document.activeElement);
      const named = model.get("plan") ? `Plan ${model.get("plan")}. ` : "";
      plan.textContent =
        named +
        (model.get("variable")
          ? `Cells use this account once ${model.get("variable")} is removed.`
          : "Cells that you run from now on use this account.");
      if (isIn) {
        control.value = "";
        keep.checked = false;
      }
      const wasIn = editing.hidden;
      editing.hidden = isIn;
      connected.hidden = !isIn;
      paint();
      // Not onto a button: a key that is still held would press it.
      if (hadFocus && isIn !== wasIn) (isIn ? connected : control).focus();
    });
    on("error", () => {
      const error = model.get("error");
      const isMine = error?.field === "api_key";
      if (isMine) alert.hidden = true;
      else alert.wondaPaint();
      if (!isMine) return;
      key.say(`${error.title} ${error.text}`.trim());
      control.focus();
    });
    on("note", () => (note.textContent = model.get("note")));
    hotkey(
      root,
      signal,
      (event) => event.key === "Enter" && event.target === control,
      connect,
    );
    return end;
  },
};
