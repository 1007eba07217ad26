"use strict";
// The leaderboard: order by a column, filter by kind and name.
(() => {
  const $ = (id) => document.getElementById(id);
  $("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
  const board = $("board");
  if (!board) return;
  const body = board.tBodies[0], rows = [...body.rows];

  // -- order ---------------------------------------------------------------------------------
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim().toLowerCase();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  function order(column, descending) {
    const sign = descending ? -1 : 1;
    rows.sort((a, b) => {
      const [x, y] = [valueOf(a, column), valueOf(b, column)];
      if (x === null || y === null) return (x === null) - (y === null); // none comes last
      return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
    });
    board.classList.add("ordered");
    body.append(...rows);
  }
  const headings = [...board.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const best = column < 2 || "lower" in heading.dataset ? "ascending" : "descending";
      const other = best === "ascending" ? "descending" : "ascending";
      const next = heading.getAttribute("aria-sort") === best ? other : best;
      for (const each of headings) each.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", next);
      order(column, next === "descending");
    });
  });

  // -- filter --------------------------------------------------------------------------------
  function filter() {
    const words = $("search").value.toLowerCase().split(/\s+/);
    const kind = $("kind").value;
    let n = 0;
    for (const row of rows) {
      const text = row.dataset.search.toLowerCase();
      row.hidden = (kind !== "all" && row.dataset.kind !== kind) || !words.every((word) => text.includes(word));
      n += !row.hidden;
    }
    $("count").textContent = `${n} of ${rows.length}`;
  }
  for (const id of ["search", "kind"]) $(id).addEventListener("input", filter);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  filter();
})();
