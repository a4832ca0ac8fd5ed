// Tiles that are put in order by dragging one onto another; buttons do the same by keyboard.

/** What makes a node such a tile; `drop(other)` is called with the key of one that falls on it. */
function sorting(kind, key, drop) {
  const leave = ({ currentTarget }) => currentTarget.classList.remove("wonda-on");
  return {
    draggable: "true",
    ondragstart({ dataTransfer }) {
      dataTransfer.setData(kind, key);
      dataTransfer.effectAllowed = "move";
    },
    ondragover(event) {
      if (!event.dataTransfer.types.includes(kind)) return;
      event.preventDefault();
      event.currentTarget.classList.add("wonda-on");
    },
    ondragleave: leave,
    ondrop(event) {
      leave(event);
      const other = event.dataTransfer.getData(kind);
      if (!other) return;
      event.preventDefault();
      event.stopPropagation();
      if (other !== key) drop(other);
    },
  };
}
