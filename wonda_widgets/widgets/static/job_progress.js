export default {
  render({ model, el }) {
    const panel = view(model, el, "progress");
    const { root, on, end } = panel;
    const alert = alertBox(model);
    root.append(jobView(model, panel), alert);
    on("error", alert.wondaPaint);
    on("sandbox banner", () => banner(model, root));
    return end;
  },
};
