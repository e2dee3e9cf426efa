// A click on a heading sorts its table: by the first number in a cell, or as text where there is none.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const text = row.cells[column].textContent.trim().replace("\u2212", "-");
        const number = column ? parseFloat(text.replaceAll(",", "").match(/[-+]?\d+(\.\d+)?/)) : NaN;
        return [number, text];
      };
      const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
      rows.sort(([[a, s]], [[b, t]]) =>
        (Number.isNaN(a) - Number.isNaN(b)) || (down ? -1 : 1) * (Number.isNaN(a) ? s.localeCompare(t) : a - b));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}
