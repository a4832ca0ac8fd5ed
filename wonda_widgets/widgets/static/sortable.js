// Tiles that can be reordered by dragging one onto another, or with their buttons.

/** The properties of a sortable tile; `drop(other)` is called with the key of a dropped tile. */
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

/**
 * Update a list so that it has one tile per item, in the items' order, and keep the focus.
 * `make(key)` returns a tile: { node, remove (a button), paint(item, index, count), end() }.
 * If the focused tile is removed, the tile that takes its position gets the focus, or
 * `otherwise`.
 */
function arrange(list, tiles, items, make, otherwise = null) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const at = focused ? [...list.children].indexOf(focused.closest("li")) : -1;
  const keys = new Set(items.map((item) => item.key));
  for (const [key, old] of tiles) {
    if (keys.has(key)) continue;
    old.end();
    old.node.remove();
    tiles.delete(key);
  }
  items.forEach((item, index) => {
    if (!tiles.has(item.key)) tiles.set(item.key, make(item.key));
    const { node, paint } = tiles.get(item.key);
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
    paint(item, index, items.length);
  });
  if (focused && document.activeElement !== focused) {
    const near = items[Math.min(at, items.length - 1)];
    (focused.isConnected ? focused : near ? tiles.get(near.key).remove : otherwise)?.focus();
  }
}
