// A page that shows the outputs of a kernel with VS Code's widget manager.
//
// It does what VS Code's notebook and its extensions Jupyter and Jupyter Renderers do: it loads
// require.js and the manager, sets the theme's variables, and finds the widgets' own modules in
// the nbextensions of the kernel's environment.

import { KernelAPI, ServerConnection } from "@jupyterlab/services";
import { KernelConnection } from "@jupyterlab/services/lib/kernel/default";

const WIDGET = "application/vnd.jupyter.widget-view+json";
const KINDS = ["vscode-light", "vscode-dark", "vscode-high-contrast", "vscode-high-contrast-light"];
const FONTS = {
  "font-family": "system-ui, 'Ubuntu', 'Droid Sans', sans-serif",
  "font-size": "13px",
  "font-weight": "normal",
  "editor-font-family": "'Droid Sans Mono', monospace",
  "editor-font-size": "14px",
};
const outputs = document.getElementById("container");
const places = new Map(); // display id -> elements
let kernel;
let manager;

/** Set a theme as VS Code does: variables on the root, the kind of theme on the body. */
export function paint({ kind, variables }) {
  const { style } = document.documentElement;
  style.cssText = ""; // another theme may have had other variables
  for (const [name, value] of Object.entries({ ...FONTS, ...variables }))
    style.setProperty(`--vscode-${name}`, value);
  document.body.classList.remove(...KINDS);
  document.body.classList.add(kind);
  if (kind === "vscode-high-contrast-light") document.body.classList.add("vscode-high-contrast");
  document.body.dataset.vscodeThemeKind = kind;
}

/** Start a kernel and a widget manager for it; `modules` has the addresses of widget modules. */
export async function start({ baseUrl, token, modules }) {
  refuseWindows();
  const { activate } = await import("./ipywidgets.js");
  activate();
  window.vscIPyWidgets8.load();
  const serverSettings = ServerConnection.makeSettings({
    baseUrl,
    wsUrl: baseUrl.replace(/^http/, "ws"),
    token,
    appendToken: true,
  });
  const model = await KernelAPI.startNew({ name: "python3" }, serverSettings);
  kernel = new KernelConnection({ model, serverSettings, handleComms: true });
  kernel.iopubMessage.connect((_, message) => receive(message));
  manager = new window.vscIPyWidgets.WidgetManager(kernel, outputs, loader(modules), () => {});
  await kernel.info;
}

/** Run a cell; return the reply's content. */
export async function run(code) {
  return (await kernel.requestExecute({ code }).done).content;
}

/** End the kernel. */
export async function stop() {
  await kernel?.shutdown();
  kernel?.dispose();
}

/** Outputs cannot open windows and message boxes; VS Code replaces these functions. */
function refuseWindows() {
  for (const name of ["open", "alert"]) {
    window[name] = () => {
      throw new Error(`window.${name} is not supported in VS Code`);
    };
  }
}

/** The object by which the manager asks the extension for a module that it does not contain. */
function loader(modules) {
  const known = new Set();
  return {
    widgetsRegisteredInRequireJs: known,
    async loadWidgetScript(name) {
      if (!modules[name]) throw new Error(`No nbextension has the module ${name}`);
      window.requirejs.config({ paths: { [name]: modules[name] } });
      known.add(name);
    },
    successHandler() {},
    errorHandler: (className, name, version, error) =>
      console.error(`Failed to load ${className} of ${name} ${version}`, error),
  };
}

function receive({ header, content }) {
  const id = content.transient?.display_id;
  if (header.msg_type === "display_data" || header.msg_type === "execute_result") {
    const element = newOutput();
    if (id) places.set(id, [...(places.get(id) ?? []), element]);
    show(content.data, element);
  } else if (header.msg_type === "update_display_data") {
    for (const element of places.get(id) ?? []) show(content.data, element);
  } else if (header.msg_type === "stream") {
    newOutput().append(content.text);
  } else if (header.msg_type === "error") {
    console.error(`${content.ename}: ${content.evalue}`);
  }
}

/** The elements that VS Code makes for an output. */
function newOutput() {
  const [around, output, element] = ["output_container", "output", ""].map((name) => {
    const made = document.createElement("div");
    made.className = name;
    return made;
  });
  output.append(element);
  around.append(output);
  outputs.append(around);
  return element;
}

/** Show the first of the formats that VS Code prefers. */
async function show(data, element) {
  element.replaceChildren();
  element.className = "";
  if (data[WIDGET]) {
    element.className = "cell-output-ipywidget-background";
    const inner = document.createElement("div");
    inner.className = "cell-output-ipywidget-background";
    element.append(inner);
    const model = await manager.get_model(data[WIDGET].model_id);
    const view = await manager.create_view(model, { el: inner });
    await manager.display_view(data[WIDGET], view, { node: inner });
  } else if (data["text/html"]) {
    element.innerHTML = data["text/html"];
  } else {
    element.append(data["text/plain"] ?? "");
  }
}
