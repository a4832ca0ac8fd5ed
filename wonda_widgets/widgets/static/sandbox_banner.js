export default {
  render({ model, el }) {
    const { root, end } = view(model, el, "sandbox-banner");
    banner(model, root);
    return end;
  },
};
