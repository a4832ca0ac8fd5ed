export default {
  render({ model, el }) {
    const { root, end } = view(model, el, "notice");
    banner(model, root);
    return end;
  },
};
