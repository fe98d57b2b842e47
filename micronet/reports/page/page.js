// Tables are sorted by their heads: a click, or Enter on the button; a third click restores the order.
"use strict";

for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const given = [...body.rows];
  const heads = [...table.querySelectorAll("thead th[data-sort]")].sort(byPlace(table));
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sort(body, given, heads, place));
  });
}

// Heads stand in two lines; a column's place is how far to the left it begins.
function byPlace(table) {
  const places = new Map();
  const [upper, lower] = table.tHead.rows;
  const below = lower ? [...lower.cells] : [];
  let column = 0;
  for (const cell of upper.cells) {
    if (cell.dataset.sort) places.set(cell, column);
    else for (let i = 0; i < cell.colSpan; i++) places.set(below.shift(), column + i);
    column += cell.colSpan;
  }
  return (a, b) => places.get(a) - places.get(b);
}

function sort(body, given, heads, place) {
  const head = heads[place];
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  const order = next[head.getAttribute("aria-sort")];
  for (const other of heads) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", order);
  const rows = [...given];
  if (order !== "none") rows.sort(comparison(place, head.dataset.sort, order === "ascending" ? 1 : -1));
  body.append(...rows);
}

// What is unknown comes last either way.
function comparison(place, kind, sign) {
  const key = (row) => {
    const cell = row.cells[place];
    if (kind === "text") return cell.querySelector(".v").textContent;
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  return (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    if (kind === "text") return sign * (x < y ? -1 : x > y ? 1 : 0);
    return sign * (x - y);
  };
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
